"""Files beyond this machine, as in a bucket, by their URL: all that is asked of fsspec.

Rights come as fsspec's back ends find them: environment variables and profiles of the user's.
Listings are never kept, for those that fsspec keeps grow stale. The first contact with a place that
does not answer ends in bounded time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path, PurePath
from typing import IO, Any, NamedTuple, TypeVar

from pairsets.errors import RemoteError
from pairsets.path_prefixes import is_text, why_unsafe

_T = TypeVar("_T")
# Also as `pathlib` leaves it, which makes one stroke of two.
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.]+):/{1,3}(?=[^/])", re.IGNORECASE)
_SECRET = re.compile(r"(?<=://)[^/]*:[^/]*@|\?.*")
# The same within other text, also where `pathlib` made one stroke of two.
_USER = re.compile(r"(?<=\w:/)(/?)[^/\s]*:[^/\s]*@")
_QUERY = re.compile(r"(\w:/[^\s?'\"]*)\?[^\s'\"]*")
# Of files of this machine, which have paths.
_LOCAL = ("file", "local")
# Whether a stroke may be turned, and a colon follow a drive.
WINDOWS = os.name == "nt"
# Seconds until a place counts as one that does not answer, and of a single connection.
ANSWER = 25.0
_CONNECT, _READ = 5, 30
# Times that a call is tried.
_TRIES = 3
# Errors of rights, by the names that the back ends' own carry.
_RIGHTS = re.compile(
    r"\b(401|403)\b|AccessDenied|Forbidden|InvalidAccessKeyId|Signature|anonymous", re.I
)
_NO_KEYS = re.compile(r"Unable to locate credentials|NoCredentials|GatedRepo|credentials", re.I)
_MISSING = re.compile(
    r"NoSuch(Bucket|Key)|\b404\b|RepositoryNotFound|EntryNotFound|not exist", re.I
)
_AWAY = re.compile(
    r"connect|resolve|timed? ?out|unreachable|name or service|offline|network|max retries", re.I
)
_TAGS = ("ETag", "etag", "md5Hash", "blob_id", "content_md5", "crc32c", "generation", "version")
_TIMES = (
    *("LastModified", "last_modified", "last_write_time", "updated", "mtime"),
    *("modificationTime", "modify", "created", "timeCreated"),
)
# As FTP tells a time.
_DIGITS = re.compile(r"\d{14}(?=\.|$)")
# A number of seconds that is higher is one of milliseconds, or of less.
_SECONDS = 10**11


class MissingError(RemoteError):
    """A bucket, folder or file that is not there."""


class Facts(NamedTuple):
    """Facts by which a file is known again: `[4]` whole numbers, as a listing gives them.

    Attributes:
        size: in bytes.
        mtime_ns: time of the last change; 0 where the listing does not say.
        tag: digest of the ETag or what stands for it; 0 where there is none. Where there is no
            time either, another number in each listing: such a file is never known again.
    """

    size: int
    mtime_ns: int
    tag: int


def remote_url(value: str | PurePath) -> str | None:
    """The URL that a text or path stands for; None for one of this machine.

    A path from which `pathlib` took the second stroke is one, too.

    >>> remote_url(Path("s3://bucket/faces")), remote_url("faces/s3")
    ('s3://bucket/faces', None)
    """
    text = value.as_posix() if isinstance(value, PurePath) else value
    match = _URL.match(text)
    if match is None:
        return None
    return f"{match['scheme'].lower()}://{text[match.end() :]}".rstrip("/")


def is_remote(value: str | PurePath) -> bool:
    """Whether a text or path names a place beyond this machine.

    >>> is_remote("gs://bucket/x"), is_remote("C:/x")
    (True, False)
    """
    return remote_url(value) is not None


def shown(url: str) -> str:
    """A URL as it may be told: without user, password and what stands behind a `?`.

    >>> shown("ftp://rei:secret@host/faces"), shown("abfs://faces@account/x")
    ('ftp://host/faces', 'abfs://faces@account/x')
    """
    return _SECRET.sub("", url)


def hushed(text: str) -> str:
    """A text without the users, passwords and queries of the URLs in it.

    >>> hushed("cannot open ftp://rei:secret@host/x?token=1 now")
    'cannot open ftp://host/x now'
    """
    return _QUERY.sub(r"\1", _USER.sub(r"\1", text))


@dataclass(frozen=True)
class RemoteFolder:
    """A folder beyond this machine; what lies in it is called by its path within it.

    Attributes:
        url: such as `s3://bucket/faces`; it may hold a password, so show `name` instead.
    """

    url: str

    @property
    def name(self) -> str:
        """The URL as it may be shown."""
        return shown(self.url)

    def __repr__(self) -> str:
        return f"RemoteFolder({self.name!r})"

    @property
    def parent(self) -> RemoteFolder:
        """The folder that this one, or the file of this URL, lies in."""
        return RemoteFolder(self.url.rpartition("/")[0])

    @property
    def base(self) -> str:
        """Last name of the URL."""
        return self.name.rpartition("/")[2]

    def find(self, *, deep: bool = True) -> dict[str, Facts]:
        """All files below the folder, by path, as they are listed now.

        A file has the empty path below itself. Without `deep` only what lies directly in it.

        Raises:
            RemoteError: the place cannot be reached or listed, or a name in it is no plain path
                within it; `MissingError` where nothing is there.
        """
        place, start = self._open()
        depth = {} if deep else {"maxdepth": 1}
        with self._told():
            _within(lambda: _contact(place, start), self.name)
            found = place.find(start, detail=True, **depth)
            found = {name: info or place.info(name) for name, info in found.items()}
        listed = {
            self._plain(name[len(start) :].removeprefix("/")): _facts(info)
            for name, info in found.items()
            # Markers of folders are no files.
            if not name.endswith("/") and info.get("type") != "directory"
        }
        if not listed:
            raise MissingError(f"{self.name}: nothing is there; is the URL right?")
        return listed

    def read(
        self,
        path: str,
        *,
        start: int | None = None,
        end: int | None = None,
        size: int | None = None,
    ) -> bytes:
        """The bytes of a file, or those from `start` to `end` of it.

        Raises:
            RemoteError: it cannot be read, or there are other than `size` bytes.
        """
        place, root = self._open()
        with self._told(path):
            # Else S3's is asked for the size of each file before it is read.
            alone = {"max_concurrency": 1} if self.url.startswith(("s3:", "s3a:")) else {}
            data: bytes = place.cat_file(_join(root, path), start=start, end=end, **alone)
        if size is not None and len(data) != size:
            raise RemoteError(
                f"{_join(self.name, path)}: {len(data):,} bytes came where {size:,} were listed; "
                "was it cut short, or changed meanwhile? Give the command again"
            )
        return data

    @contextmanager
    def opened(self, path: str) -> Iterator[IO[bytes]]:
        """A file, open for reading at any place; it is read ahead."""
        place, root = self._open()
        with self._told(path), place.open(_join(root, path), "rb", block_size=4 << 20) as stream:
            yield stream

    def write(self, path: str, data: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            RemoteError: it cannot be written.
        """
        place, root = self._open()
        with self._told(path):
            place.pipe_file(_join(root, path), data)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; those that are gone already are not missed."""
        place, root = self._open()
        for path in paths:
            with self._told(path):
                try:
                    place.rm_file(_join(root, path))
                except FileNotFoundError:
                    continue

    def fetch(self, files: Mapping[str, Facts], into: Path) -> None:
        """Copy files into a folder of this machine, each whole or not at all.

        Raises:
            RemoteError: one cannot be read, or is not of its listed size.
        """
        place, root = self._open()
        for path, facts in files.items():
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.part")
            try:
                with self._told(path):
                    place.get_file(_join(root, path), str(half))
                size = half.stat().st_size
                if size != facts.size:
                    raise RemoteError(
                        f"{_join(self.name, path)}: {size:,} bytes came where {facts.size:,} were "
                        "listed; was it cut short, or changed meanwhile? Give the command again"
                    )
                half.replace(target)
            finally:
                half.unlink(missing_ok=True)

    def push(self, folder: Path, names: Iterable[str], last: Iterable[str] = ()) -> None:
        """Copy files of a folder of this machine here; those named `last` when all others are.

        They are removed first: as long as they are missing, what is here is not whole.

        Raises:
            RemoteError: one cannot be written.
        """
        place, root = self._open()
        ending = [*last]
        names = [name for name in names if name not in ending]
        if names or len(ending) > 1:
            self.remove(ending)
        for path in [*names, *(name for name in ending if (folder / name).is_file())]:
            with self._told(path):
                place.put_file(str(folder / path), _join(root, path))

    def _plain(self, path: str) -> str:
        """A path that was listed, if it is one within the folder, here as there.

        Raises:
            RemoteError: it is none.
        """
        if not path:
            return path
        unsafe = "is not UTF-8" if not is_text(path) else why_unsafe(path)
        if unsafe is None and WINDOWS and ("\\" in path or ":" in path):
            unsafe = "is another path on Windows"
        if unsafe:
            raise RemoteError(f"{self.name}: the name {path!r} in it {unsafe}: refused; rename it")
        return path

    def _open(self) -> tuple[Any, str]:
        """The file system of the URL, and the path in it."""
        return _opened(self.url, (os.getpid(), os.environ.get("AWS_ENDPOINT_URL", "")))

    @contextmanager
    def _told(self, path: str = "") -> Iterator[None]:
        """Errors of the back end as one of ours, that says what to do."""
        try:
            yield
        except RemoteError:
            raise
        except Exception as error:
            raise _explained(error, _join(self.name, path)) from None


def _join(root: str, path: str) -> str:
    return f"{root}/{path}" if path else root


@lru_cache(maxsize=32)
def _opened(url: str, here: tuple[int, str]) -> tuple[Any, str]:
    """The file system of a URL, made anew in each process: none of them survives a fork.

    `here` is the process, and the endpoint that it asks.
    """
    scheme = url.partition("://")[0]
    if scheme in _LOCAL:
        raise RemoteError(f"{shown(url)}: a place of this machine; give a path")
    try:
        import fsspec
    except ImportError:
        raise _lacking(url, "fsspec") from None
    try:
        fsspec.get_filesystem_class(scheme)
        place, path = fsspec.core.url_to_fs(url, **_options(scheme))
    except ImportError as error:
        raise _lacking(url, str(error)) from None
    except ValueError as error:
        raise RemoteError(
            f"{shown(url)}: {_clean(error, url)}; expected a URL such as s3://bucket/faces, gs://, "
            "hf:// or memory://"
        ) from None
    except Exception as error:
        raise _explained(error, shown(url)) from None
    if hasattr(type(place), "retries"):
        place.retries = min(type(place).retries, _TRIES)
    return place, str(path).rstrip("/")


def _options(scheme: str) -> dict[str, Any]:
    """Settings of a back end: nothing of a listing is kept, and no connection waits for ever."""
    if scheme == "memory":
        return {}
    found: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if scheme in ("s3", "s3a"):
        found["config_kwargs"] = {
            "connect_timeout": _CONNECT,
            "read_timeout": _READ,
            "retries": {"max_attempts": 2},
        }
    if scheme in ("gs", "gcs"):
        found["requests_timeout"] = _READ
        # It writes whole tracebacks of what it tries again.
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    return found


def _lacking(url: str, why: str) -> RemoteError:
    return RemoteError(
        f"{shown(url)}: its back end is not installed ({why}): pip install 'lookalikes[cloud]'"
    )


def _contact(place: Any, path: str) -> None:
    """Ask the place for one thing, to learn early that it is away, or closed to us."""
    try:
        place.info(path)
    except FileNotFoundError:
        # Says nothing yet: not every back end knows folders.
        return


def _within(call: Callable[[], _T], name: str) -> _T:
    """Result of a call that may take `ANSWER` seconds.

    Raises:
        RemoteError: it took longer.
    """
    done: list[_T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(call())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(ANSWER)
    if failed:
        raise failed[0]
    if not done:
        raise RemoteError(f"{name}: no answer within {ANSWER:.0f} seconds; {_WAY}")
    return done[0]


_WAY = "is the network there, and the endpoint right (for S3, AWS_ENDPOINT_URL)?"


def _explained(error: Exception, name: str) -> RemoteError:
    """An error of ours for one of a back end's."""
    chain = [error, error.__cause__, error.__context__]
    said = " ".join(f"{type(one).__name__} {one}" for one in chain if one is not None)
    # A face may be called 403.jpg.
    said = said.replace(name.partition("://")[2], "").replace(name.rpartition("/")[2], "")
    short = _clean(error, name)
    if isinstance(error, FileNotFoundError):
        return MissingError(f"{name}: not there; is the URL right?")
    if isinstance(error, PermissionError) or _RIGHTS.search(said):
        return RemoteError(
            f"{name}: no right to it ({short}). Rights come from where its tools have theirs: for "
            "s3:// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE, for gs:// "
            "GOOGLE_APPLICATION_CREDENTIALS, for hf:// HF_TOKEN"
        )
    if isinstance(error, ImportError):
        return _lacking(name, short)
    if _MISSING.search(said):
        return MissingError(f"{name}: not there; is the URL right?")
    if _NO_KEYS.search(said):
        return RemoteError(
            f"{name}: no rights were found ({short}). For s3:// set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY or AWS_PROFILE, for gs:// GOOGLE_APPLICATION_CREDENTIALS, for "
            "hf:// HF_TOKEN"
        )
    if isinstance(error, ConnectionError | TimeoutError) or _AWAY.search(said):
        return RemoteError(f"{name}: cannot be reached ({short}); {_WAY}")
    return RemoteError(f"{name}: {short}")


def _clean(error: Exception, name: str) -> str:
    """The first line of an error, without what is secret in a URL."""
    text = " ".join(str(error).split()) or type(error).__name__
    return hushed(text)[:200]


def _facts(info: Mapping[str, Any]) -> Facts:
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), "")
    time = next((info[key] for key in _TIMES if info.get(key)), 0)
    mtime_ns = _nanoseconds(time)
    number = digest_of(tag) if tag else 0
    if not (mtime_ns or number):
        number = secrets.randbits(62) | 1
    return Facts(int(info.get("size") or 0), mtime_ns, number)


def digest_of(text: str) -> int:
    """A whole number of 62 bits for a text.

    >>> digest_of("rei") == digest_of("rei") != digest_of("asuka")
    True
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 2


def _nanoseconds(value: object) -> int:
    """A time of a listing; 0 for one that cannot be read."""
    try:
        if isinstance(value, str) and (digits := _DIGITS.match(value)):
            value = datetime.strptime(digits[0], "%Y%m%d%H%M%S")
        elif isinstance(value, str) and not value.replace(".", "", 1).isdigit():
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            value = value if value.tzinfo else value.replace(tzinfo=UTC)
            # Of a listing, and of an object asked for alone, in whole seconds.
            return int(value.timestamp()) * 10**9
        seconds = int(float(str(value)))
        while seconds > _SECONDS:
            seconds //= 1000
        return seconds * 10**9
    except (ValueError, OverflowError):
        return 0
