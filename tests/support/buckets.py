"""A bucket of S3 on this machine, and servers that refuse or are not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from pairsets.storage.remote_files import RemoteFolder
from support.elements import without_command

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, until the block ends."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def refusing_server() -> Iterator[str]:
    """The address of a server that answers whatever it is asked with 403, as S3 does."""

    class Refusal(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>"
            body += b"<Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusal)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def upload(folder: Path, url: str) -> None:
    """Copy all files of a folder to a URL."""
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    RemoteFolder(url).push(folder, sorted(files))


def download(url: str) -> dict[str, bytes]:
    """The content of all files below a URL, by path, but for the command that a report names."""
    remote = RemoteFolder(url)
    return {path: without_command(remote.read(path)) for path in remote.find()}
