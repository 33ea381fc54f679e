"""Arrays mapped from files, no more than there are descriptors for."""

import mmap
import resource
import weakref
from typing import Any

import numpy as np

__all__ = ["mapped"]

_PART = 4  # of the descriptors that the process may have

#: Each map that is in use keeps a descriptor of its file (https://github.com/python/cpython/issues/78502).
_maps: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()


def mapped(file: Any, mode: Any, start: int, *, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    """Map an array from a file; None if a quarter of the process's descriptors is used for maps already.

    Parameters
    ----------
    file
        The open file.
    mode
        ``"r"`` or ``"c"``.
    start
        Where its data begin, in bytes.
    dtype, shape, order
        Of the array.
    """
    if len(_maps) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _PART:
        return None
    array = np.memmap(file, dtype, mode, start, shape, order)
    _maps.add(array._mmap)  # type: ignore[attr-defined]  # noqa: SLF001  (what holds the descriptor)
    return array
