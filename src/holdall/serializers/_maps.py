"""Arrays mapped from files, within the limit of file descriptors."""

import mmap
import resource
import weakref
from typing import Any

import numpy as np

__all__ = ["mapped"]

_PART = 4  # one in so many of the process's descriptors

#: Each map in use keeps a descriptor of its file (https://github.com/python/cpython/issues/78502).
_maps: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()


def mapped(file: Any, mode: Any, start: int, *, dtype: Any, shape: tuple[int, ...], order: Any) -> Any:
    """Map an array from a file; return None if maps use a quarter of the process's descriptors already.

    Parameters
    ----------
    file
        The open file.
    mode
        ``"r"`` or ``"c"``.
    start
        The offset of its data, in bytes.
    dtype, shape, order
        Those of the array.
    """
    if len(_maps) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _PART:
        return None
    array = np.memmap(file, dtype, mode, start, shape, order)
    _maps.add(array._mmap)  # type: ignore[attr-defined]  # noqa: SLF001  (holds the descriptor)
    return array
