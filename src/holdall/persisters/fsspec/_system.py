"""A file system of fsspec: opened without its caches, with its errors translated to ours."""

import errno
import ftplib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem

from holdall._posix.errors import FULL, number_in
from holdall._posix.fork import finalize, new_lock
from holdall._shown import shown
from holdall.errors import (
    HoldallError,
    InvalidArgumentError,
    StoreFullError,
    StoreUnavailableError,
    UnsupportedError,
)

__all__ = ["ABSENT", "TAKEN", "FileSystem", "UnnameableError", "time_of", "version_of"]

T = TypeVar("T")

_memory = new_lock()

#: What says that there is no file of a name.
ABSENT: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
#: What says that a name cannot be that of a file: a folder has it, or a file that of a folder above.
TAKEN: Final = (IsADirectoryError, NotADirectoryError, FileExistsError)

#: File systems that are read-only, or have a store of their own for writing.
_READ_ONLY: Final = frozenset(
    {
        "data",
        "git",
        "github",
        "gitlab",
        "http",
        "https",
        "jlab",
        "jupyter",
        "libarchive",
        "reference",
        "tar",
        "zip",
    }
)
#: File systems that refuse to give a file the name of a folder.
_RENAMES_ALONE: Final = frozenset({"ftp", "sftp", "ssh"})
#: What searches for files that most file systems inherit.
_INHERITED: Final = (AbstractFileSystem.find, AsyncFileSystem._find)  # noqa: SLF001  (which they override)
#: Errors of folders that links lead to again and again.
_TOO_DEEP: Final = frozenset({errno.ELOOP, errno.ENAMETOOLONG})
#: Errors of lost connections, by the classes of the packages that raise them.
_LOST: Final = frozenset({"SSHException", "error_temp", "error_proto", "ServerDisconnectedError"})
_NEWLINE: Final = "illegal newline"
#: Seconds to wait for a server that says nothing.
_PATIENCE: Final = 60.0
#: What waits for a server of SSH before there are files.
_TIMEOUTS: Final = ("timeout", "banner_timeout", "auth_timeout", "channel_timeout")
#: Errors of web servers, which are no lost connections.
_FAILED: Final = frozenset({"ClientResponseError", "ClientConnectionError"})
_MISSING: Final = frozenset({404, 410})  # answers of web servers that say that there is no such page
_PASSWORD: Final = re.compile("(://[^/:@]*):[^/]*@")
_TIMES: Final = ("mtime", "modified", "LastModified", "last_modified", "updated", "modify", "created")
_VERSIONS: Final = ("ETag", "etag", "e_tag", "generation", "md5Hash", "content_md5", "blob_id", "sha")


class UnnameableError(FileNotFoundError):
    """A file system can have no file of a name."""


class FileSystem:
    """A file system of fsspec, opened again where needed.

    Parameters
    ----------
    url
        A folder in it.
    options
        Its options.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        given: Any = url
        if not isinstance(given, str) or "://" not in given:
            raise InvalidArgumentError(
                f"a file system is named by a URL such as 'sftp://host/folder', got {shown(given)}"
            )
        self.url = url
        self.options = options
        self._opening = new_lock()
        self._end: Callable[[], object] = bool  # closes the connection
        self._open()
        # Connections of FTP and SFTP carry one request at a time, and a dict that is listed must not grow.
        self._turn: AbstractContextManager[Any] = new_lock()
        module = type(self._system).__module__
        if module.endswith(".local") or getattr(self._system, "async_impl", False):
            self._turn = nullcontext()
        elif module.endswith(".memory"):  # which is the same for all in a process
            self._turn = _memory
        kind = type(self._system)
        protocols = {kind.protocol} if isinstance(kind.protocol, str) else {*kind.protocol}
        #: Its name.
        self.name = min(protocols, key=len)
        #: Whether it can be written.
        self.writable = not protocols & _READ_ONLY
        #: Whether a file can replace another one in one step.
        self.renames = any("mv" in vars(base) for base in kind.__mro__[:-1] if base is not AbstractFileSystem)
        #: Whether it records when a file was written.
        self.dated = "ftp" in protocols or kind.modified is not AbstractFileSystem.modified

    def _open(self) -> None:
        # An own connection, since it carries one request at a time, and no cached listings; a class that does
        # not know the option caches none.
        with self.translating("cannot be reached"):
            try:
                options = {"skip_instance_cache": True, **_with_timeouts(self.url, self.options)}
                try:
                    self._system, root = fsspec.core.url_to_fs(
                        self.url, **{"use_listings_cache": False, **options}
                    )
                except TypeError as error:
                    if "use_listings_cache" not in str(error):
                        raise
                    self._system, root = fsspec.core.url_to_fs(self.url, **options)
            except ImportError as error:
                raise UnsupportedError(
                    f"{self.place} needs a package that is not installed: {error}"
                ) from error
            except (ValueError, TypeError) as error:
                raise InvalidArgumentError(
                    f"{self.place} is no URL that fsspec understands: {error}"
                ) from error
        self._end()
        self._end = finalize(self, _close, self._system)
        if type(self._system).protocol == "ftp":
            self._system.ls = partial(_list_by_ftp, self._system)
        if (ssh := getattr(self._system, "ssh_kwargs", None)) is not None:
            self._system.ftp.get_channel().settimeout(ssh.get("timeout"))
        self._is_local = type(self._system).__module__.endswith(".local")
        # What a local listing names has no "..", no link and no "//" in it.
        root = os.path.realpath(str(root)) if self._is_local else str(root)
        self.root = root.rstrip("/")
        self._top = "/" if root.startswith("/") else ""
        self._pid = os.getpid()

    def _open_again(self, old: Any) -> None:
        """Open another connection in place of one, unless another thread has done so."""
        with self._opening:
            if self._system is old:
                self._open()

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._turn:
            self._end()
            self._pid = 0

    @property
    def place(self) -> str:
        """The location, without a password."""
        return _PASSWORD.sub(r"\1:***@", self.url)

    def run(self, what: str, action: Callable[[Any], T]) -> T:
        """Call a function with the file system; repeat it on a new connection if the old one was lost.

        Parameters
        ----------
        what
            What failed, for the message.
        action
            Called with the file system.
        """
        system = self._system
        if self._pid != os.getpid():  # the connection belongs to the parent, or is closed
            self._open_again(system)
        with self.translating(what), self._turn:
            system = self._system
            try:
                return _answer(action, system)
            except Exception as error:
                if not _is_lost(error):
                    raise
        self._open_again(system)
        with self.translating(what), self._turn:
            return _answer(action, self._system)

    @contextmanager
    def translating(self, what: str) -> Iterator[None]:
        """Translate errors of the file system to ours, except those that say that a file does not exist."""
        try:
            yield
        except (HoldallError, NotImplementedError, *ABSENT, *TAKEN):
            raise
        except Exception as error:  # each file system has errors of its own
            said = _said(error)
            number = getattr(error, "errno", None) or number_in(said)
            # The package for FTP refuses newlines by a ValueError.
            if isinstance(error, UnicodeEncodeError) or number == errno.ENAMETOOLONG or _NEWLINE in said:
                raise UnnameableError(number, said) from error
            kind = StoreFullError if number in FULL else StoreUnavailableError
            raise kind(number, f"{self.place} {what}: {said}", self.place) from error

    def replace(self, system: Any, old: str, new: str) -> None:
        """Give a file the name of another one; `IsADirectoryError` if that is a folder."""
        if self._is_local:
            os.replace(old, new)
            return
        # Many a file system would move the file into the folder, and say nothing.
        if self.name not in _RENAMES_ALONE and system.isdir(new):
            raise IsADirectoryError(errno.EISDIR, "there is a folder of that name", new)
        system.mv(old, new)

    def find(self, system: Any, path: str) -> dict[str, dict[str, Any]]:
        """Return the information about all files below a folder; raise if they cannot all be listed.

        The search that file systems inherit leaves out each folder that it cannot list, for whatever reason.
        """
        kind = type(system)
        own = kind._find if isinstance(system, AsyncFileSystem) else kind.find  # noqa: SLF001  (that of most)
        if own not in _INHERITED:
            found: dict[str, dict[str, Any]] = system.find(path, detail=True)
            return found
        files = {}
        waiting = [path]
        while waiting:
            folder = waiting.pop()
            for info in self._listed(system, folder):
                name = info["name"].rstrip("/")
                if info["type"] == "directory" and name != folder.rstrip("/"):
                    waiting.append(name)
                elif info["type"] != "directory":
                    files[info["name"]] = info
        return {name: files[name] for name in sorted(files)}

    def _listed(self, system: Any, folder: str) -> list[dict[str, Any]]:
        """Return what lies in a folder; nothing if there is none, or it is a link to one above."""
        try:
            listed: list[dict[str, Any]] = system.ls(folder, detail=True)
        except ABSENT as error:
            if _failure_before(error):
                raise
            return []
        except OSError as error:
            if error.errno in _TOO_DEEP:
                return []
            raise
        return listed

    def path_of(self, id: str) -> str:
        """Return the path of an id."""
        return f"{self.root}/{id}" if self.root else f"{self._top}{id}"

    def id_of(self, path: str) -> str:
        """Return the id of a path."""
        start = self.root.strip("/")
        path = str(path).lstrip("/")
        return path[len(start) + 1 :] if start and path.startswith(f"{start}/") else path


def _close(system: Any) -> None:
    """Close the connection of a file system, or the file of an archive: fsspec itself has no way."""
    held: Any
    for held in (getattr(system, "client", None), getattr(system, "ftp", None), system):
        with suppress(Exception):  # there is none, or it is lost
            held.close()


def _with_timeouts(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a file system with a limit for the time that its server says nothing."""
    scheme = url.partition("://")[0]
    seconds = options.get("timeout", _PATIENCE)
    if scheme == "ftp":
        return {"timeout": seconds, **options}
    if scheme in {"sftp", "ssh"}:
        return {**dict.fromkeys(_TIMEOUTS, seconds), **options}
    if scheme not in {"http", "https"}:
        return options
    from aiohttp import ClientTimeout  # noqa: PLC0415  (of the file system of the web)

    if isinstance(seconds, ClientTimeout):
        return options
    limit = ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
    others = {name: value for name, value in options.items() if name != "timeout"}
    return {**others, "client_kwargs": {"timeout": limit, **options.get("client_kwargs", {})}}


def _said(error: Exception) -> str:
    """Return the text of an error, with those of the addresses of SSH that were tried."""
    tried = getattr(error, "errors", None)
    if isinstance(tried, dict) and tried:
        return "; ".join(map(str, tried.values()))
    return str(error) or type(error).__name__


def _is_lost(error: BaseException) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    return (
        isinstance(error, EOFError | ConnectionError | TimeoutError)
        or getattr(error, "errno", None) == errno.EBADF
        or bool(names & _LOST)
        or str(error) in {"Socket is closed", "cannot read from timed out object"}
    )


def _answer(action: Callable[[Any], T], system: Any) -> T:
    """Return what a file system answers; raise its failure where it takes that for the absence of a file."""
    outer = sys.exc_info()[1]  # of whoever asks
    try:
        return action(system)
    except ABSENT as error:
        failure = _failure_before(error, outer)
        if failure is None:
            raise
        raise failure from None


def _failure_before(error: BaseException, outer: BaseException | None = None) -> BaseException | None:
    """Return the failure of a connection or server that an error was raised after, if there was one."""
    before = error.__cause__ or error.__context__
    if before is None or before is outer:
        return None
    names = {base.__name__ for base in type(before).__mro__}
    failed = _is_lost(before) or (names & _FAILED and getattr(before, "status", 0) not in _MISSING)
    return before if failed else _failure_before(before, outer)


def _list_by_ftp(system: Any, path: str, detail: bool = True, **options: Any) -> list[Any]:
    """List a folder over FTP, and raise if that breaks off: fsspec would take it for an empty folder."""
    folder = system._strip_protocol(path).rstrip("/")  # noqa: SLF001  (as all file systems do)
    try:
        facts = list(system.ftp.mlsd(folder or "/"))
    except ftplib.error_perm:  # there is no such folder, or the server knows no MLSD
        return list(type(system).ls(system, path, detail, **options))
    found = [
        {
            **about,
            "name": f"{folder}/{name.lstrip('/')}",
            "size": int(about["size"]) if about["type"] == "file" else 0,
            "type": "directory" if about["type"] == "dir" else about["type"],
        }
        for name, about in facts
        if name not in {".", ".."} and about["type"] not in {"pdir", "cdir"}
    ]
    return found if detail else sorted(info["name"] for info in found)


def time_of(info: dict[str, Any]) -> float | None:
    """Return when a file was written, in seconds of POSIX time; None if it is not recorded."""
    for field in _TIMES:
        value = info.get(field)
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, str):
            return _parsed(value)
    return None


def _parsed(text: str) -> float | None:
    if text[:14].isdigit():  # from FTP
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def version_of(info: dict[str, Any]) -> str | None:
    """Return what changes with each write of a file; None if the file system records no such thing."""
    if info.get("ino"):  # each write makes another file
        return f"{info['ino']}-{info.get('mtime')}-{info.get('size')}"
    for field in _VERSIONS:
        value = info.get(field)
        if value:
            return str(value).strip('"')
    return None
