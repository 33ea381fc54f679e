"""A persister over comment lines at the end of a script."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from time import time_ns
from typing import Any

from holdall._options import Durability, checked_path
from holdall._posix.descriptors import create_file
from holdall._posix.errors import translating
from holdall._posix.lock import TIMEOUT, check_timeout
from holdall._posix.names import fs_path
from holdall._posix.system import require_posix
from holdall._posix.trust import check_trust
from holdall._shown import shown
from holdall.abc import Capability, Persister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.persisters.script._file import ScriptFile, script_file
from holdall.persisters.script._format import Record, data_of_text, quote_name, size_of_text, text_of_data
from holdall.persisters.script._records import Records, strange_lines
from holdall.persisters.script._source import code_of
from holdall.persisters.script._writing import append, append_item, compact, rewrite

__all__ = ["ScriptPersister", "code_of"]

_BATCH = 1000  # records that are written at once


class ScriptPersister(Persister):
    """The data block at the end of a script: one comment line per record, only ever appended.

    Parameters
    ----------
    path
        The script. It must exist, unless `create` is given.
    create
        Whether to make an empty file if there is none.
    durability
        ``"process"``: a returned write survives the death of the process. ``"power"``: also a power failure
        (the file is synced).
    timeout
        Seconds to wait for other writers.
    guard
        Whether to refuse a file that others could have written (`UntrustedStoreError`).
    runs
        Whether the file is known to be Python, since its code runs; otherwise its name or first line must
        show it before data are added.

    Raises
    ------
    StoreNotFoundError
        If there is no such file.
    UnsupportedError
        If the file is not a text in which a line that begins with ``#`` is a Python comment.
    MismatchError
        If the data in it have a format of a later version.

    Notes
    -----
    Threads and processes: all writers of a script take turns, by a lock on the file; readers never wait. The
    program above the data is never changed. After a crash: every returned write is there; an incomplete line
    is ignored, and still is a comment. Cost: one ``write`` and two ``stat`` per write, one ``stat`` per read.
    All data are kept in memory: use another store for values of more than a megabyte.

    An editor that saves an older state of the file undoes later writes. A running process that knows them
    notices this at its next access, and writes them again below what the editor saved.

    The block is rewritten without outdated records when these are more than 64 kB (200 bytes when the process
    ends) and more than the rest: into another file, which then replaces the script, with its owner, mode and
    extended attributes. It is not rewritten if it has several hard links, or if its folder is not writable.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "script.py")
    >>> persister = ScriptPersister(path, create=True)
    >>> persister["count"] = b"3"
    >>> with open(path) as file:
    ...     print(file.read())
    <BLANKLINE>
    # === holdall data 1: kept by this script, edit above this line ===
    # count = 3 #: ...
    """

    capabilities = frozenset(
        {
            Capability.BYTES,
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
        },
    )

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = False,
        durability: Durability = "process",
        timeout: float = TIMEOUT,
        guard: bool = False,
        runs: bool = False,
    ) -> None:
        require_posix("scripts that keep values")
        if durability not in {"process", "power"}:
            raise InvalidArgumentError(f"durability must be 'process' or 'power', got {durability!r}")
        self.path = _checked_path(path)
        self.durability = durability
        self.timeout = check_timeout(timeout)
        self.guard = guard
        self._sync = durability == "power"
        self._file: ScriptFile = script_file(self.path)
        if create and not os.path.lexists(self.path):
            with translating("it cannot be made", self.path):
                create_file(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._file.repair = append
        self.runs = runs
        self._file.runs = self._file.runs or runs
        self._trusted = -1  # how much of the file was read at the last trust check
        self._look()

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "durability": self.durability,
            "timeout": self.timeout,
            "guard": self.guard,
            "runs": self.runs,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._options)

    @property
    def at_hand(self) -> bool:  # docstring inherited
        return True

    @property
    def place(self) -> str:  # docstring inherited
        return self.path

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The lock of the script: its holder is the only writer, of all threads and processes.

        The thread that has it may take it again.
        """
        return self._file.lock(self.timeout)

    @property
    def mutex(self) -> AbstractContextManager[Any]:
        """The part of `lock` that excludes the other threads of this process."""
        return self._file.mutex

    @property
    def writable(self) -> bool:
        """Whether this process may write the script."""
        self._file.look()
        return self._file.writable

    # ------------------------------------------------------------------ reading

    def _look(self) -> Records:
        """Return the present records; raise if others could have written the file, where that matters."""
        file = self._file
        records = file.look()
        if self.guard and file.reads != self._trusted:
            with file.mutex:  # so that the file is the one that was read
                records = file.look()
                check_trust(file.fd, "values from a script", self.path)
                self._trusted = file.reads
        return records

    def __getitem__(self, id: str) -> bytes:
        return data_of_text(self._find(id)[1])

    def _find(self, id: Any) -> tuple[bytes, bytes]:
        """Return version and text of an id."""
        live = self._look().live
        try:
            return live[id]
        except (KeyError, TypeError):
            raise KeyError(id) from None

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._look().live))

    def __contains__(self, id: object) -> bool:
        live = self._look().live
        try:
            return id in live
        except TypeError:
            return False

    def __len__(self) -> int:
        return len(self._look().live)

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        version, text = self._find(id)
        data = data_of_text(text)
        return data, _stat(version, len(data))

    def stat(self, id: str) -> Stat:  # docstring inherited
        version, text = self._find(id)
        return _stat(version, size_of_text(text))

    def etag_of(self, id: str) -> str:
        """Return the etag of an id, without the cost of a stat.

        Parameters
        ----------
        id
            The id to look for.

        Raises
        ------
        KeyError
            If there is no such id.
        """
        return self._find(id)[0].decode()

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self.put_etag(id, data)

    def __setitem__(self, id: str, data: Any) -> None:
        self.put_etag(id, data)

    def put_etag(self, id: str, data: Any) -> str:
        """Store data unconditionally, and return their etag, without the cost of a stat.

        Parameters
        ----------
        id
            The id to write.
        data
            The data to store.
        """
        name = _names.get(id) if type(id) is str else None
        if name is None or type(data) is not bytes:
            return self.write(id, data).etag
        text = text_of_data(data)
        file = self._file
        with file.mutex:
            outer = file.held
            try:
                file.acquire(self.timeout)
                version = self._next_version()
                append_item(file, id, (name, text, version), sync=self._sync)
            finally:
                if not outer:
                    file.held = False
                    file.flock.release()
        return version.decode()

    def __delitem__(self, id: str) -> None:
        self.remove(id)

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        name = _name(id)
        data = _bytes(id, data)
        text = text_of_data(data)
        file = self._file
        with file.mutex:
            outer = file.held
            try:
                file.acquire(self.timeout)
                if expected is not ANY_ETAG:
                    self.require(id, expected)
                version = self._next_version()
                append_item(file, id, (name, text, version), sync=self._sync)
            finally:
                if not outer:
                    file.held = False
                    file.flock.release()
        return _stat(version, len(data))

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        file = self._file
        with file.mutex:
            outer = file.held
            try:
                file.acquire(self.timeout)
                self.require(id, expected)
                if id not in file.records.live:
                    raise KeyError(id)
                append(file, [Record(_name(id), None, self._next_version())], sync=self._sync)
            finally:
                if not outer:
                    file.held = False
                    file.flock.release()

    def require(self, id: str, expected: Expected) -> None:  # docstring inherited
        if expected is ANY_ETAG:
            return
        known = self._file.records.live.get(id)
        actual: Etag = ITEM_NOT_AVAILABLE if known is None else known[0].decode()
        if actual != expected:
            raise conflict(self, id, expected, actual)

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items, a thousand per write; what was stored before an error stays stored."""
        batch: list[tuple[bytes, bytes | None]] = []
        try:
            for id, data in items:
                batch.append((_name(id), text_of_data(_bytes(id, data))))
                if len(batch) == _BATCH:
                    whole, batch = batch, []
                    self._append(whole)
        finally:
            self._append(batch)

    def remove_many(self, ids: Iterable[str]) -> None:  # docstring inherited
        ids = list(ids)
        with self._file.lock(self.timeout) as file:
            live = file.records.live
            self._append([(_name(id), None) for id in dict.fromkeys(ids) if id in live])

    def clear(self) -> None:  # docstring inherited
        with self._file.lock(self.timeout) as file:
            self.remove_many(list(file.records.live))

    def _append(self, items: list[tuple[bytes, bytes | None]]) -> None:
        """Write several records at once."""
        if not items:
            return
        file = self._file
        with file.mutex:
            outer = file.held
            try:
                file.acquire(self.timeout)
                first = int(self._next_version(), 16)
                records = [Record(*item, b"%016x" % (first + number)) for number, item in enumerate(items)]
                append(file, records, sync=self._sync)
            finally:
                if not outer:
                    file.held = False
                    file.flock.release()

    def _next_version(self) -> bytes:
        """Return a version above all others: the clock in nanoseconds, or one more than the last one."""
        version = b"%016x" % time_ns()
        top = self._file.records.top
        return version if version > top else b"%016x" % (int(top, 16) + 1)

    # ------------------------------------------------------------------ upkeep

    @property
    def nbytes(self) -> int:
        """Bytes of the data block, including outdated records."""
        return self._file.look().nbytes

    def check(self) -> list[str]:
        """Check every line of the block.

        Returns
        -------
        list of str
            Which lines are not records, one sentence each; empty if there are none.
        """
        with self._file.mutex:
            self._file.look()
            source, _ = self._file.source()
            begin = self._file.block
            if begin < 0:
                return []
            return strange_lines(source[begin:], source.count(b"\n", 0, begin) + 1)

    def compact(self) -> int:
        """Rewrite the block without outdated records; all other lines stay.

        Returns
        -------
        int
            Bytes by which the script is now shorter.

        Raises
        ------
        UnsupportedError
            If the file has several hard links.
        StoreUnavailableError
            If the file or its folder is not writable.
        """
        with self._file.lock(self.timeout) as file:
            return compact(file)

    def program(self) -> bytes:
        """Return the program above the data."""
        with self._file.mutex:
            self._file.look()
            source, _ = self._file.source()
            return code_of(source, self.path)

    def change_program(self, change: Callable[[bytes], bytes]) -> None:
        """Replace the program above the data; nothing else in holdall changes it.

        Parameters
        ----------
        change
            Called with the program; returns the new one.

        Raises
        ------
        UnsupportedError
            If the file has several hard links.
        StoreUnavailableError
            If the file or its folder is not writable.
        """
        with self._file.lock(self.timeout) as file:
            rewrite(file, change)

    def close(self) -> None:  # docstring inherited
        self._file.close()


def _checked_path(path: Any) -> str:
    """Return the file, absolute."""
    return os.path.abspath(fs_path(checked_path(path, "file")))


def _reopen(cls: type[ScriptPersister], path: str, options: dict[str, Any]) -> ScriptPersister:
    return cls(path, **options)


def _stat(version: bytes, size: int) -> Stat:
    return Stat(version.decode(), int(version, 16) / 1e9, size)


_names: dict[str, bytes] = {}


def _name(id: Any) -> bytes:
    """Return the name of an id; those of the last few thousand are cached."""
    try:
        return _names[id]
    except (KeyError, TypeError):
        if not isinstance(id, str):
            raise InvalidKeyError(f"ids are text, got {type(id).__name__}: {shown(id)}") from None
        if len(_names) > 5000:
            _names.clear()
        name = _names[id] = quote_name(id)
        return name


def _bytes(id: str, data: Any) -> bytes:
    """Return data as one piece that does not change later."""
    if type(data) is bytes:
        return data
    try:
        return join_parts(data) if type(data) is list else bytes(memoryview(data))
    except TypeError as error:
        raise InvalidArgumentError(
            f"the data for {shown(id)} are {type(data).__name__}, not bytes: give the store a serializer",
        ) from error
