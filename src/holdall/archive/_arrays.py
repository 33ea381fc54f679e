"""The arrays of archives, in files beside them."""

import os
from typing import Any

from holdall._shown import shown
from holdall.errors import CorruptValueError, SerializationError

__all__ = ["Arrays"]

# The most that deflate makes of one byte: files that claim more, by parts that overlap, are not read.
_EXPANSION = 1_032


class Arrays:
    """The arrays beside an archive, read on access; no code in them runs.

    Parameters
    ----------
    location
        The folder of the archive.
    data_format
        ``npy``, ``npz`` or ``hdf5``.
    where
        The file or folder of the arrays, relative to the archive's folder.
    mmap
        Whether to map files into memory.
    """

    def __init__(self, location: str, data_format: str, where: Any, mmap: bool) -> None:
        if not _is_file_name(where):
            raise CorruptValueError(
                f"arrays lie in a file or folder beside the archive, not in {shown(where)}"
            )
        self._location = location
        self._where = where
        self._format = data_format
        self._mmap = mmap
        self._loaded: dict[str, Any] = {}

    def load(self, name: str) -> Any:
        """Return an array."""
        if name in self._loaded:
            return self._loaded[name]
        path = os.path.join(self._location, self._where)
        if self._format == "npy":
            if not _is_file_name(name):
                raise CorruptValueError(f"the name of an array is that of a file, got {shown(name)}")
            path = os.path.join(path, f"{name}.npy")
        real, root = os.path.realpath(path), os.path.realpath(self._location)
        if not real.startswith(os.path.join(root, "")) or not os.path.isfile(real):
            raise CorruptValueError(f"array {name!r} is missing, or lies elsewhere: {path}")
        try:
            array = self._loaded[name] = self._read(path, name)
        except SerializationError as error:
            raise type(error)(f"{path}: {error}") from error
        return array

    def _read(self, path: str, name: str) -> Any:
        from holdall.serializers import get_serializer  # noqa: PLC0415
        from holdall.serializers.npy import NpySerializer, NpzSerializer  # noqa: PLC0415

        with open(path, "rb") as file:
            if self._format == "npy":
                return NpySerializer(mmap_mode="c" if self._mmap else None).load(file)
            if self._format == "npz":
                self._loaded |= NpzSerializer(max_bytes=os.path.getsize(path) * _EXPANSION).load(file)
            else:
                self._loaded |= get_serializer(self._format).load(file)
        if name not in self._loaded:
            raise CorruptValueError(f"there is no array {name!r}")
        return self._loaded[name]


def _is_file_name(text: Any) -> bool:
    return type(text) is str and text not in ("", ".", "..") and not set(text) & {"/", "\\", "\0", ":"}
