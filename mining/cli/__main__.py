"""The command line as a module: `python -m mining.cli`, for launchers of several processes."""

from mining.cli import main

if __name__ == "__main__":
    main()
