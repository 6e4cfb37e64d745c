"""Blocks judged in several processes, the results in the order of the blocks.

A worker is this module run as a program that answers on its standard output. So it never imports
the user's own script, and ends by itself when whoever started it is gone, killed even.
"""

from __future__ import annotations

import gc
import json
import os
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from pairsets.errors import SourceError
from pairsets.sources.danbooru.blocks import read_block
from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.danbooru.streams import Stretch, content_of

_LENGTH, _PLACE = struct.Struct("<Q"), struct.Struct("<QQ")
# What a message is: a block, or where it lies; the answer, or why there is none.
_TEXT, _FILE = b"T", b"F"
_DONE, _FAILED = b"D", b"E"
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from pairsets.sources.danbooru.processes import serve; serve()"
)
# Beyond that, the one process that reads and joins cannot keep up.
_MOST = 16
# Blocks a worker that wait for it: of their text; and of places in a file, which take no memory
# and keep it at work while this process is busy otherwise.
_HELD, _AHEAD = 2, 16
# Bytes that wait in a pipe, where the system lets one choose: fewer changes between processes.
_PIPE = 2**20


def usable_cores() -> int:
    """Number of workers unless the user says another."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _MOST)
    return min(os.cpu_count() or 1, _MOST)


def read_blocks(
    blocks: Iterable[bytes | Stretch], rule: Rule, workers: int
) -> Generator[bytes, None, None]:
    """Bytes of each block judged, as `Block.to_bytes` has them, in the order of `blocks`.

    At most `_HELD` blocks a worker are held. With one worker this process does the work. A stretch
    of a file is read by the worker itself.

    Raises:
        SourceError: a worker died, or a stretch is no longer there.
    """
    if workers == 1:
        for data in blocks:
            yield read_block(content_of(data), rule).to_bytes()
        return
    with _started(rule, workers) as (pool, idle):
        asked: deque[Future[bytes]] = deque()
        for data in blocks:
            asked.append(pool.submit(_ask, idle, data))
            most = (_HELD if isinstance(data, bytes) else _AHEAD) * workers
            del data
            # What is ready goes on at once; then wait for the oldest, not to hold too many.
            while asked and (asked[0].done() or len(asked) >= most):
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()


def serve() -> None:
    """Be a worker: the rule on the command line, a block after the other on standard input."""
    facts = json.loads(sys.argv[1])
    rule = Rule(**facts | {name: tuple(facts[name]) for name in ("ratings", "extensions")})
    # Posts have no cycles, and to look for some takes a tenth of the time.
    gc.disable()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        while (asked := _take(sys.stdin.buffer)) is not None:
            try:
                found = read_block(content_of(_piece(asked)), rule).to_bytes()
            except SourceError as error:
                _give(sys.stdout.buffer, _FAILED + str(error).encode(errors="surrogateescape"))
            else:
                _give(sys.stdout.buffer, _DONE + found)
    # Standard output may be gone, which Python would complain of at its end.
    os._exit(0)


@contextmanager
def _started(
    rule: Rule, workers: int
) -> Iterator[tuple[ThreadPoolExecutor, SimpleQueue[subprocess.Popen[bytes]]]]:
    """Processes, and a thread for each, which waits for its answers."""
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path), json.dumps(asdict(rule))]
    idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    processes: list[subprocess.Popen[bytes]] = []
    pool = ThreadPoolExecutor(workers)
    try:
        for _ in range(workers):
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C is for the process that started them: it ends them, without their noise.
                start_new_session=True,
            )
            processes.append(process)
            _widen(process)
            idle.put(process)
        yield pool, idle
    finally:
        # Killed, not asked to end: they have nothing to lose, and threads may wait for them.
        for process in processes:
            process.kill()
        pool.shutdown(cancel_futures=True)
        for process in processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let more bytes wait in the pipes of a process, where the system grants it.

    Not by `Popen`'s own argument: that fails where a user has many pipes already.
    """
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:  # not Linux
        return
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                fcntl(pipe, F_SETPIPE_SZ, _PIPE)


def _asked(piece: bytes | Stretch) -> tuple[bytes, bytes]:
    """Message to a worker, in two parts."""
    if isinstance(piece, bytes):
        return _TEXT, piece
    return _FILE + _PLACE.pack(piece.start, piece.length), os.fsencode(piece.path)


def _piece(message: bytes) -> bytes | Stretch:
    """The block that a message asks for."""
    if message.startswith(_TEXT):
        return message[1:]
    place = _PLACE.unpack_from(message, 1)
    return Stretch(Path(os.fsdecode(message[1 + _PLACE.size :])), *place)


def _ask(idle: SimpleQueue[subprocess.Popen[bytes]], piece: bytes | Stretch) -> bytes:
    process = idle.get()
    answer = None
    if process.stdin is not None and process.stdout is not None:
        with suppress(BrokenPipeError):
            _give(process.stdin, *_asked(piece))
            answer = _take(process.stdout)
    idle.put(process)
    if answer is None:
        raise SourceError(
            f"a worker process died (exit code {process.wait()}); was there too little memory? "
            "Try fewer workers: what was read so far is kept"
        )
    if answer.startswith(_FAILED):
        raise SourceError(answer[1:].decode(errors="surrogateescape"))
    return answer[1:]


def _give(pipe: IO[bytes], *parts: bytes) -> None:
    for part in (_LENGTH.pack(sum(map(len, parts))), *parts):
        view = memoryview(part)
        while view:
            view = view[pipe.write(view) :]
    pipe.flush()


def _take(pipe: IO[bytes]) -> bytes | None:
    """Next message from a pipe; None at the end."""
    head = _exactly(pipe, _LENGTH.size)
    return None if head is None else _exactly(pipe, _LENGTH.unpack(head)[0])


def _exactly(pipe: IO[bytes], count: int) -> bytes | None:
    found = bytearray(count)
    at = 0
    while at < count:
        got = pipe.readinto(memoryview(found)[at:])  # type: ignore[attr-defined]
        if not got:
            return None
        at += got
    return bytes(found)
