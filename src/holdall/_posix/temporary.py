"""Private temporary folders: on disk, spared by system cleaners, deleted in the end, even after a kill."""

import contextlib
import os
import stat
import warnings
import weakref
from typing import Any, Final

from holdall._posix.descriptors import create_file, opening
from holdall._posix.flags import BELOW
from holdall._posix.fork import new_lock
from holdall._posix.lock import try_flock
from holdall._posix.system import require_posix

__all__ = ["TemporaryFolder", "kind_of_filesystem"]

_PREFIX: Final = "holdall-"
_MARKER: Final = ".holdall-temporary"
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs", "rootfs"})

_swept: set[str] = set()
_open: "weakref.WeakValueDictionary[str, TemporaryFolder]" = weakref.WeakValueDictionary()
_lock = new_lock()
_warned = False


class TemporaryFolder:
    """A folder of this process that is deleted with this object, or at the end of the process.

    Parameters
    ----------
    spill
        Whether it is for data that do not fit into memory: then a folder in memory is avoided, with a warning
        if that is impossible.

    Notes
    -----
    The folder is where `tempfile` puts its own, mode 0700. It is locked while it is in use, so that
    systemd-tmpfiles keeps it, and other processes know that its owner lives: the first folder that a process
    makes removes those whose owners were killed. A forked child never deletes it.
    """

    def __init__(self, *, spill: bool = False) -> None:
        require_posix("temporary folders of stores")
        import tempfile  # noqa: PLC0415  (3 ms, with the compressors that it could use)

        base = _base(spill=spill)
        with _lock:
            if base not in _swept:
                _swept.add(base)
                sweep(base)
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
        self._own()
        _open[self.path] = self

    def _own(self) -> None:
        [fd] = opening(self.path, BELOW)
        with contextlib.suppress(OSError):  # no locks here: nothing will be removed later
            # The marker comes last: a process that sees it and gets the lock knows that the owner is dead.
            if try_flock(fd):
                create_file(_MARKER, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=fd)
        self._finalizer = weakref.finalize(self, _delete, self.path, fd, os.getpid())

    def restore(self) -> None:
        """Make the folder again, empty, if it was deleted by `close`."""
        with _lock:
            if self.closed:
                os.mkdir(self.path, 0o700)
                self._own()

    @staticmethod
    def owner_of(path: str) -> "TemporaryFolder | None":
        """Return the temporary folder of this process with a path in it, to keep it alive while in use.

        Parameters
        ----------
        path
            An absolute path.
        """
        while path not in _open:
            path, name = os.path.split(path)
            if not name:
                return None
        return _open.get(path)

    def close(self) -> None:
        """Delete the folder; closing twice is allowed."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether it was deleted."""
        return not self._finalizer.alive


def _delete(path: str, fd: int, pid: int) -> None:
    if pid == os.getpid():
        import shutil  # noqa: PLC0415  (as tempfile, which has it)

        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.close(fd)  # unlocks it when no other process has it open


def _base(*, spill: bool) -> str:
    """Return the folder for temporary folders."""
    import tempfile  # noqa: PLC0415  (see TemporaryFolder)

    base = os.path.abspath(tempfile.gettempdir())
    if not spill or kind_of_filesystem(base) not in _IN_MEMORY:
        return base
    usual, other = "/tmp", "/var/tmp"  # noqa: S108  (not written to here)
    chosen = base != usual or any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    if not chosen and os.access(other, os.W_OK | os.X_OK) and kind_of_filesystem(other) not in _IN_MEMORY:
        return other
    warn_of_memory(base)
    return base


def warn_of_memory(path: str) -> None:
    """Warn, once per process, that a folder for data that do not fit into memory is in memory.

    Parameters
    ----------
    path
        The folder.
    """
    global _warned  # noqa: PLW0603  (once per process)
    kind = kind_of_filesystem(path)
    if kind in _IN_MEMORY and not _warned:
        _warned = True
        warnings.warn(
            f"values are spilled to {path}, which is {kind} and itself lies in memory: "
            "give a path on a disk, or set TMPDIR",
            RuntimeWarning,
            stacklevel=4,
        )


def kind_of_filesystem(path: str) -> str:
    """Return the type of the file system of a path; "" where the system does not report it.

    Parameters
    ----------
    path
        A folder; if it does not exist, the nearest existing one above it is used.
    """
    path = os.path.realpath(path)
    best, kind = "", ""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                _, point, found, *_ = line.split(" ")
                point = point.replace("\\040", " ")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and len(point) >= len(best):
                    best, kind = point, found
    except (OSError, ValueError):
        return ""
    return kind


def sweep(base: str) -> None:
    """Delete the temporary folders of killed processes: ours, with the marker, and not locked.

    Parameters
    ----------
    base
        The folder that contains them.
    """
    try:
        names = [name for name in os.listdir(base) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        path = os.path.join(base, name)
        fd = -1
        try:
            [fd] = opening(path, BELOW)
            about: Any = os.fstat(fd)
            ours = about.st_uid == os.geteuid() and stat.S_ISREG(os.stat(_MARKER, dir_fd=fd).st_mode)
            if ours and try_flock(fd):  # otherwise its owner lives
                import shutil  # noqa: PLC0415  (see TemporaryFolder)

                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # no marker
        finally:
            if fd >= 0:
                os.close(fd)
