"""The file of a script persister: its descriptor, its lock, and the records that were last read.

All handles of one script in one process share one `ScriptFile`, so that they exclude each other by one
mutex and never wait for a lock that they hold themselves.
"""

import errno
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import stat as os_stat
from time import sleep
from typing import Any

from holdall._posix.descriptors import Descriptors, closing, forget, open_into
from holdall._posix.errors import REFUSED, translating
from holdall._posix.fork import forget_in_child, living
from holdall._posix.lock import TIMEOUT, Lock, Patience, unlocked
from holdall.errors import StoreNotFoundError, UnsupportedError
from holdall.persisters.script._format import id_in, parse
from holdall.persisters.script._records import Records
from holdall.persisters.script._source import check_text, find_block, newline_of

# An editor that replaces a file may delete it for a moment.
_PATIENCE = (0.001, 0.01, 0.05, 0.1)
#: Bytes before the end that are read again, to check that the file has only grown since.
OVERLAP = 80


_NO_LOCK = Lock(-1, "", lambda: "")
_NO_LOCK.release = unlocked


class ScriptFile:
    """One script: descriptor, lock, and the records that were last read.

    Parameters
    ----------
    path
        The file itself, links resolved.

    Notes
    -----
    Threads: `mutex` excludes them; the thread that has it may take it again. Processes: ``flock`` on the
    file. An editor or a compaction may replace the file at any moment, so after taking the lock it is checked
    that the lock still is that of the file of this name. A forked child opens the file again.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.mutex = threading.RLock()
        self.runs = False  # whether it is known to be Python, whatever its name
        self.reads = 0  # how often records of other processes were read
        #: Whether the lock is held, by the thread that has the mutex.
        self.held = False
        #: The lock of the descriptor.
        self.flock = _NO_LOCK
        self._fds: Descriptors = [None]
        self._let_go: Callable[[], Any] = unlocked  # releases the lock and closes the descriptor
        #: Called with the file and the records that were overwritten; the lock is held.
        self.repair: Callable[[Any, list[Any]], None] = _nothing
        self._timeout = TIMEOUT
        self._forget()
        forget_in_child(self)

    def _forget(self) -> None:
        self.writable = False
        self.wrote = False  # whether this process has written
        self.records = Records()
        self.seen = (0, 0, 0)  # time, size and inode at the last look
        self.end = -1  # bytes read as whole lines
        self.block = -1  # where the block begins
        self.newline = b"\n"
        self.overlap = b""  # the last bytes before `end`
        self.reads += 1
        self._warned: set[bytes] = set()

    # ------------------------------------------------------------------ looking

    def look(self) -> Records:
        """Return the present records; one system call if nothing has changed."""
        try:
            stat = os_stat(self.path)
        except OSError:
            pass  # catch_up() raises it
        else:
            if (stat.st_mtime_ns, stat.st_size, stat.st_ino) == self.seen:
                return self.records
        with self.mutex:
            self.catch_up()
        return self.records

    def distrust(self) -> None:
        """Make the next look read the whole file."""
        self.seen, self.end = (0, 0, self.seen[2]), -1

    def catch_up(self) -> None:
        """Read what has changed since the last look; the caller has the mutex."""
        with translating("it cannot be read", self.path):
            while True:
                stat = self._stat()
                now = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if now == self.seen:
                    return
                if self.fd < 0 or stat.st_ino != self.seen[2]:
                    self._open()
                    self._read_all()
                elif self.end < 0 or stat.st_size < self.end or not self._read_on(now):
                    self._read_all()
                if not self.held:
                    return  # the next look finds what is appended meanwhile

    def _stat(self) -> os.stat_result:
        for pause in _PATIENCE:
            try:
                return os.stat(self.path)
            except FileNotFoundError:
                sleep(pause)
        try:
            return os.stat(self.path)
        except FileNotFoundError as error:
            message = "there is no such script (create=True makes an empty one)"
            raise StoreNotFoundError(errno.ENOENT, message, self.path) from error

    def _open(self) -> None:
        """Open the file, for writing if allowed; if the lock is held, take it on the new descriptor."""
        fds: Descriptors = [None]
        locks: list[Lock] = []
        let_go = closing(fds, locks)
        try:
            writable = self._open_into(fds)
            fd = fds[-1]
            assert fd is not None  # noqa: S101  (it is open)
            if os.fstat(fd).st_mode & 0o170000 != 0o100000:
                raise UnsupportedError(f"{self.path} is no ordinary file")
            locks.append(Lock(fd, self.path, self._lock_beside))
            # There is no call here, so no interrupt comes between: descriptors that are not kept are closed
            # below.
            old, self._let_go = self._let_go, let_go
            self._fds, self.fd, self.writable, self.flock = fds, fd, writable, locks[0]
        finally:
            if self._fds is not fds:
                let_go()
        old()
        if self.held:
            self.flock.acquire(Patience(self._timeout))

    def _open_into(self, fds: Descriptors) -> bool:
        """Open the file; return whether it is writable."""
        flags = os.O_CLOEXEC | os.O_NONBLOCK  # opening a pipe returns at once
        try:
            open_into(fds, self.path, os.O_RDWR | os.O_APPEND | flags)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            open_into(fds, self.path, os.O_RDONLY | flags)
            return False
        return True

    def _read_all(self) -> None:
        """Read the whole file, and write our overwritten records again."""
        self.reads += 1
        source, stat = self.source()
        check_text(source, self.path)
        begin = find_block(source, self.path)
        block = source[begin:] if begin >= 0 else b""
        whole = _whole(block)
        records = Records.of(block[:whole])
        lost = self.records.lost_in(records)
        if lost and self.writable and not self.held:
            self.distrust()
            with self.lock(self._timeout):  # calls this method again
                return
        for record in lost:
            records.apply(record, 0)
        self.block = begin
        self.newline = newline_of(block or source)
        self.records = records
        self.end = len(source) - len(block) + whole
        self.overlap = source[max(0, self.end - OVERLAP) : self.end]
        self.seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        self._warn()
        if lost and self.writable:
            self.repair(self, lost)

    def source(self) -> tuple[bytes, os.stat_result]:
        """Read the whole file, with the stat of what was read."""
        while True:
            before = os.fstat(self.fd)
            source = self.pread(0)
            after = os.fstat(self.fd)
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                return source, after

    def _read_on(self, now: tuple[int, int, int]) -> bool:
        """Read what was appended; return False if the file has changed before that."""
        start = self.end - len(self.overlap)
        data = self.pread(start)
        if self.block < 0 or not data.startswith(self.overlap):
            return False
        self.reads += 1
        new = data[len(self.overlap) :]
        size = self.end + len(new)
        whole = _whole(new)
        self.records.read(new[:whole])
        self.end += whole
        self.overlap = data[: len(self.overlap) + whole][-OVERLAP:]
        if size == now[1]:
            self.seen = now
        self._warn()
        return True

    def pread(self, offset: int) -> bytes:
        """Read from an offset to the end."""
        pieces = []
        while piece := os.pread(self.fd, 1 << 24, offset):
            pieces.append(piece)
            offset += len(piece)
        return b"".join(pieces)

    def _warn(self) -> None:
        """Warn once about each damaged record that it is ignored."""
        for line in self.records.damaged:
            if line not in self._warned:
                self._warned.add(line)
                above = self.source()[0].partition(line)[0]
                warnings.warn_explicit(
                    f"{self.path} has a record that was changed or damaged and does not count: "
                    f"{line[:100].decode('ascii', 'replace')!r}. Its checksum is that of another value"
                    f"{self._counting(line)}. The line stays where it is; set the value again, in the "
                    "program or with `holdall script FILE set NAME VALUE`, then delete it",
                    UserWarning,
                    self.path,
                    above.count(b"\n") + 1,
                )

    def _counting(self, line: bytes) -> str:
        """Return which value is used instead of that of a damaged record."""
        id = id_in(line)
        if id is None:
            return ""
        known = self.records.live.get(id)
        if known is None:
            return f", and nothing else is stored under {id!r}, so that its default counts"
        return (
            f"; what counts is {id!r} as the program stored it: {known[1][:100].decode('ascii', 'replace')}"
        )

    # ------------------------------------------------------------------ locking

    @contextmanager
    def lock(self, timeout: float = TIMEOUT) -> Iterator["ScriptFile"]:
        """Exclude all other writers, and read what they wrote."""
        with self.mutex:
            outer = self.held
            try:
                self.acquire(timeout)
                yield self
            finally:
                if not outer:
                    self.held = False
                    self.flock.release()

    def acquire(self, timeout: float = TIMEOUT) -> None:
        """Take the lock, unless this thread has it already.

        The caller has the mutex and, if it did not have the lock before, releases it in a ``finally``, as
        `lock` does: by a single C call, since an interrupt could come at the start of a Python function.
        """
        if self.held:
            return
        self.held = True
        self._timeout = timeout
        if self.fd < 0:
            self.catch_up()  # locks what it opens
            return
        try:
            self.flock.take()
        except OSError as error:
            with translating("it cannot be locked", self.path):
                self.flock.wait(error, Patience(timeout))
        try:
            stat = os_stat(self.path)
        except OSError:
            pass  # catch_up() raises it
        else:
            if (stat.st_mtime_ns, stat.st_size, stat.st_ino) == self.seen:
                return
        self.catch_up()  # locks the new file if it was replaced meanwhile

    def _lock_beside(self) -> str:
        return f"{self.path}.lock"

    # ------------------------------------------------------------------ handles

    def close(self) -> None:
        """Close the descriptor, and forget what was read."""
        with self.mutex:
            if not self.held:
                self._forget()
                let_go, self._let_go = self._let_go, unlocked
                self.fd, self.flock = -1, _NO_LOCK
                let_go()

    def __del__(self) -> None:
        self._let_go()

    def after_fork(self) -> None:
        """Forget the parent's descriptor: a lock taken through it would be the parent's."""
        forget(self._fds)
        self.fd, self.held, self.flock, self._let_go = -1, False, _NO_LOCK, unlocked
        self.mutex = threading.RLock()
        self._forget()


def _whole(lines: bytes) -> int:
    """Return the length of the whole lines; an incomplete one may still be being written."""
    end = lines.rfind(b"\n") + 1
    return len(lines) if parse(lines[end:]) is not None else end


def _nothing(*_: object) -> None:
    pass


class _Shared:
    """The files in use in this process, by their paths."""

    def __init__(self) -> None:
        self.files: weakref.WeakValueDictionary[str, ScriptFile] = weakref.WeakValueDictionary()
        self.after_fork()
        forget_in_child(self)

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may hold."""
        self.lock = threading.Lock()


_shared = _Shared()


def script_file(path: str) -> ScriptFile:
    """Return the one `ScriptFile` of a path, links resolved."""
    path = os.path.realpath(path)
    with _shared.lock:
        found = _shared.files.get(path)
        if found is None:
            found = _shared.files[path] = ScriptFile(path)
        return found


def open_files() -> list[ScriptFile]:
    """Return all files in use in this process."""
    return living(_shared.files)
