"""Arrays mapped from files, within the limit of file descriptors."""

import mmap
import weakref
from typing import Any

resource: Any
try:
    import resource
except ImportError:  # a system without such limits
    resource = None

__all__ = ["mapped", "mapped_file"]

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
    import numpy as np  # noqa: PLC0415  (whole files are mapped without it)

    if _are_too_many():
        return None
    array = np.memmap(file, dtype, mode, start, shape, order)
    _maps.add(array._mmap)  # type: ignore[attr-defined]  # noqa: SLF001  (holds the descriptor)
    return array


def mapped_file(file: Any, mode: Any) -> "mmap.mmap | None":
    """Map a whole file; return None if it has no descriptor, or maps use too many already.

    Parameters
    ----------
    file
        The open file.
    mode
        ``"r"`` or ``"c"``.
    """
    if _are_too_many():
        return None
    try:
        descriptor = file.fileno()
    except (AttributeError, OSError):
        return None
    found = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ if mode == "r" else mmap.ACCESS_COPY)
    _maps.add(found)
    return found


def _are_too_many() -> bool:
    return resource is not None and len(_maps) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _PART
