"""Returning freed memory to the system where it grows."""

import mmap
from collections.abc import Callable
from typing import Final

__all__ = ["Trimmer", "resident"]

_LEAST: Final = 8_000_000  # bytes that must have left memory before a check
_PART: Final = 16  # of the limit


def resident() -> int:
    """Return the bytes of physical memory of the process; 0 where the system does not report it."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0


class Trimmer:
    """Return freed memory to the system when it exceeds a part of the limit.

    Parameters
    ----------
    budget
        Bytes that values may take.

    Notes
    -----
    An allocator keeps freed memory between values that live. With arrays of mixed sizes that is up to a third
    of the limit in the GNU C library, whose ``malloc_trim`` returns whole pages of it. It takes some
    milliseconds, so it is called only when a sixteenth of the limit has left memory and the process has grown
    by as much beyond what is counted. Small Python objects are in an allocator of their own, which it does
    not reach.
    """

    def __init__(self, budget: int) -> None:
        self._step = max(_LEAST, budget // _PART)
        self._left = 0
        self._least = 0  # the least memory beside the values since the last check
        self._trim: Callable[[int], int] | None = None
        self._found = False

    def gone(self, nbytes: int, used: int) -> None:
        """Note that values have left memory.

        Parameters
        ----------
        nbytes
            Their size in bytes.
        used
            The size of all others.
        """
        self._left += nbytes
        if self._left < self._step:
            return
        self._left = 0
        beside = resident() - used
        if beside < self._least or not self._least:
            self._least = beside
        elif beside > self._least + self._step:
            self._give_back()
            self._least = resident() - used

    def _give_back(self) -> None:
        if not self._found:
            self._found = True
            try:
                import ctypes  # noqa: PLC0415  (slow to import, rarely needed)

                self._trim = ctypes.CDLL(None).malloc_trim
            except (ImportError, OSError, AttributeError):
                self._trim = None  # another C library
        if self._trim is not None:
            self._trim(0)
