"""The folder of a file persister: opening it, its metadata, and the path of a file in it."""

import errno
import itertools
import os
from collections.abc import Callable
from typing import Any, Self

from holdall._options import Durability, checked_path
from holdall._posix.control import CONTROL
from holdall._posix.errors import ABSENT, telling, translate
from holdall._posix.folder import Folder, Opened
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._posix.names import fs_name, fs_path
from holdall.abc import Capability, Persister
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    ReadOnlyError,
    StoreNotFoundError,
    StoreUnavailableError,
    UnsupportedError,
)
from holdall.persisters.files._record import check_formats, extended, read_record, write_record
from holdall.persisters.files._system import NEEDED

_DEEPEST = 100  # levels of folders; a deletion has a descriptor for each


class FilesPlace(Persister):
    """The part of `FilesPersister` for its folder."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        durability: Durability = "process",
        guard: bool | Callable[[str], bool] = False,
        hidden: bool = True,
        max_levels: int | None = None,
        read_only: bool = False,
        timeout: float = TIMEOUT,
        record: dict[str, Any] | None = None,
    ) -> None:
        if not os.supports_dir_fd >= NEEDED:
            raise UnsupportedError("folders need a POSIX system: files are reached by descriptor")
        if path is None and read_only:
            raise InvalidArgumentError("read_only needs the path of a folder that exists")
        given = None if path is None else checked_path(path, "folder")
        absolute = None if given is None else os.path.abspath(fs_path(given))
        self.timeout = check_timeout(timeout)
        self.record = dict(record or {})
        self._names = map(str, itertools.count())  # of unfinished files; next() is atomic
        self._uid = os.geteuid()
        self._set_options(durability, guard=guard, hidden=hidden, max_levels=max_levels, read_only=read_only)
        # Others must not be able to replace files whose loading can run code, whatever the umask.
        self._folder = Folder(
            absolute, mode=0o775 if guard else 0o777, sync=self._power, timeout=self.timeout
        )
        if absolute is not None:
            self._open_existing(absolute)

    def _set_options(
        self,
        durability: str,
        *,
        guard: bool | Callable[[str], bool],
        hidden: bool,
        max_levels: int | None,
        read_only: bool,
    ) -> None:
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        if max_levels is not None and (type(max_levels) is not int or max_levels < 1):
            raise InvalidArgumentError(f"max_levels must be 1 or more, or None, got {max_levels!r}")
        self.durability = durability
        self.guard = guard
        self.hidden = hidden
        self.max_levels = max_levels
        self._levels = _DEEPEST if max_levels is None else min(max_levels, _DEEPEST)
        self.read_only = read_only
        self._power = durability == "power"
        self._sure = -1  # number of the open folder in which only the file itself needs a trust check
        self._usual: tuple[int, int, int] | None = None  # mode, owner and group of new files
        # Files whose loading can run code must not be writable for others, whatever the umask.
        self._mode = 0o664 if guard else 0o666
        if read_only:
            self.capabilities = self.capabilities - {
                Capability.WRITABLE,
                Capability.CAS_THREADS,
                Capability.CAS_HOST,
            }

    def sibling(
        self,
        *,
        durability: Durability = "process",
        guard: bool | Callable[[str], bool] = False,
        hidden: bool = True,
        max_levels: int | None = None,
    ) -> Self:
        """Return a handle of the same folder with options of its own.

        It shares descriptors, lock, workspace and metadata with this one; closing either closes both, until
        the next use. Parameters are those of the class.
        """
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        other._set_options(  # noqa: SLF001  (same class)
            durability, guard=guard, hidden=hidden, max_levels=max_levels, read_only=self.read_only
        )
        return other

    def _open_existing(self, path: str) -> None:
        try:
            found = self._folder.open()
        except OSError as error:
            raise translate(error, "the folder cannot be opened", path) from error
        if found is not None:
            try:
                self._check_record(found)
            except BaseException:
                self._folder.close()
                raise
            if not self.read_only:
                self._folder.sweep()
        elif self.read_only:
            raise StoreNotFoundError(errno.ENOENT, "there is no such folder to read", path)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "durability": self.durability,
            "guard": self.guard,
            "hidden": self.hidden,
            "max_levels": self.max_levels,
            "read_only": self.read_only,
            "timeout": self.timeout,
            "record": self.record,
        }

    # ------------------------------------------------------------------ facts about the folder

    @property
    def path(self) -> str:
        """The folder, absolute."""
        return self._folder.path

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return self.path if self._folder.known else "a temporary folder"

    def location_of(self, id: str) -> str:  # docstring inherited
        return os.path.join(self.path, fs_name(id)) if self._folder.known else self.place

    @property
    def lock_file(self) -> str | None:
        """The file in the control folder of which processes lock bytes while they compute an item."""
        if self.read_only:
            return None
        use = self._prepare()
        with telling("the folder cannot be written to", self.path):
            return use.control_file("computing.lock")

    @property
    def owned(self) -> bool:  # docstring inherited
        # Checked each time: since the folder was opened, others may have made it or stored files there.
        use = self._folder.open()
        if use is None:
            return True
        record = self._check_record(use)
        if record is None:
            alone = set(os.listdir(use.root)) <= {CONTROL}
            record = self._check_record(use)  # another handle may just have made it
        return alone if record is None else bool(record.get("owned"))

    def _check_record(self, use: Opened) -> dict[str, Any] | None:
        """Compare the metadata of an open folder with the options of this handle, and return the metadata."""
        try:
            control = use.control()
        except OSError:
            return None
        try:
            record = read_record(control, self.path)
        finally:
            os.close(control)
        if record is not None:
            check_formats(record, self.record, self.path)
        return record

    def _prepare(self, what: str = "the folder cannot be written to") -> Opened:
        """Prepare a write: the workspace, and the metadata of a new folder."""
        if self.read_only:
            raise ReadOnlyError(f"{self.path} was opened with read_only=True")
        folder = self._folder
        try:
            with telling(what, self.path), folder.mutex:
                use = folder.prepare()
                try:
                    use.lock.acquire()
                    self._record_options(use)
                finally:
                    use.lock.release()
        except BaseException:
            folder.close()  # otherwise the next write would skip the metadata
            raise
        self._usual = None
        if not folder.fine_mtime:
            self.capabilities -= {Capability.CAS_THREADS, Capability.CAS_HOST}
        return use

    def _record_options(self, use: Opened) -> None:
        """Record the options of the folder, or compare them; the caller holds the lock."""
        control = use.control()
        try:
            record = read_record(control, self.path)
            if record is None:
                owned = os.listdir(use.root) == [CONTROL]
                write_record(use, control, {**self.record, "owned": owned})
                if self._power:
                    os.fsync(control)
                    os.fsync(use.root)
            else:
                check_formats(record, self.record, self.path)
                more = extended(record, self.record)
                if more != record:
                    write_record(use, control, more)
        finally:
            os.close(control)

    # ------------------------------------------------------------------ finding files

    def _locate(self, use: Opened, id: str, *, doubts: list[str] | None = None) -> tuple[int, str]:
        """Open the folder of an id; return the root's own descriptor for an id without a folder."""
        *folders, name = id.split("/")
        self._check_depth(id)
        if not folders:
            return use.root, name
        return use.enter(folders, doubts=doubts), name

    def _check_depth(self, id: str) -> None:
        if id.count("/") >= self._levels:
            raise InvalidKeyError(f"{id!r:.80} lies deeper than the {self._levels} levels of {self.place}")

    def _find(self, id: Any, action: Callable[[str, int], Any], doubts: list[str] | None = None) -> Any:
        """Call a function with the file of an id, by its name and the descriptor of its folder.

        Raises
        ------
        KeyError
            If there is no such file, or it is an impossible id.
        """
        if not self.hidden and isinstance(id, str) and (id[:1] == "." or "/." in id):
            raise KeyError(id)  # not listed either
        for again in (True, False):
            try:
                use = self._folder.opened
                if not use.exists():
                    with telling(f"{id!r} cannot be read", self.place):
                        found = self._folder.open()
                    if found is None:
                        break
                    use = found
                fd, name = self._locate(use, id, doubts=doubts)
                try:
                    return action(name, fd)
                finally:
                    if fd != use.root:
                        os.close(fd)
            except StoreUnavailableError:
                raise
            except OSError as error:
                if error.errno not in ABSENT:
                    raise translate(error, f"{id!r} cannot be read", self.place) from error
                if not (again and self._gone()):
                    break
            except (ValueError, TypeError, AttributeError, InvalidKeyError):
                break  # an impossible name of a file
        raise KeyError(id)

    def _gone(self) -> bool:
        """Return whether the folder was deleted, and perhaps made again, since it was opened."""
        if self._folder.opened.exists():
            return False
        self._folder.close()
        return True


def _reopen(cls: type[FilesPlace], path: str, options: dict[str, Any]) -> FilesPlace:
    return cls(path, **options)
