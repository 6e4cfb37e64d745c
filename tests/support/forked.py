"""Program `lookalikes` for shells, without the seconds that each new Python takes to begin.

A server imports the packages once; each call is a fork of it, with the folder, the environment, the
arguments and the three streams of who calls. Run as a program, this file is that server.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

# Stands for the installed program of that name. It begins in a hundredth of a second.
CLIENT = """\
#!{python} -ISE
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode("utf-8", "surrogateescape")
socket.send_fds(server, [len(call).to_bytes(4)], [0, 1, 2])
server.sendall(call)
os._exit(int(server.recv(4) or 70))
"""


@contextlib.contextmanager
def command_in(folder: Path) -> Iterator[Path]:
    """Put a program `lookalikes` into `folder / "bin"`, which is given: it works until the end."""
    programs, address = folder / "bin", folder / "socket"
    programs.mkdir(parents=True)
    program = programs / "lookalikes"
    program.write_text(CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    server = subprocess.Popen(
        [sys.executable, __file__, str(address)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield programs
    finally:
        server.kill()
        server.communicate()


def _serve(address: str) -> None:
    import faiss  # noqa: F401
    import matplotlib.figure  # noqa: F401

    import mining.cli
    import mining.commands.build  # noqa: F401
    from mining.models.torchvision_ops import import_timm

    import_timm()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            caller, _ = listening.accept()
            with caller:
                size, streams, _, _ = socket.recv_fds(caller, 4, 3)
                if os.fork() == 0:
                    listening.close()
                    _answer(caller, int.from_bytes(size), streams)
                for stream in streams:
                    os.close(stream)


def _answer(caller: socket.socket, size: int, streams: list[int]) -> None:
    """Run one call in this process, which ends with it; its own child waits for it."""
    with caller.makefile("rb") as sent:
        argv, folder, environment = json.loads(sent.read(size))
    running = os.fork()
    if running:
        _, status = os.waitpid(running, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(BrokenPipeError):
            caller.sendall(b"%d" % (code if code >= 0 else 128 - code))
        os._exit(0)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode, errors = "r" if number == 0 else "w", "backslashreplace" if number == 2 else "strict"
        setattr(sys, name, open(number, mode, encoding="utf-8", errors=errors, closefd=False))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = argv
    from mining.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1 if code else 0)


if __name__ == "__main__":
    _serve(sys.argv[1])
