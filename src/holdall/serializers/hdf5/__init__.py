"""HDF5: arrays, and nested dicts of arrays, in one file that other programs read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, SerializationError
from holdall.serializers import OptionSerializer
from holdall.serializers.hdf5._items import WithAttributes, encode
from holdall.serializers.hdf5._names import NOTE, attribute_name, link_name
from holdall.serializers.hdf5._reading import Hdf5Array, Hdf5Group, MemoryFile, PositionedFile, Reader, Source

__all__ = ["Hdf5Array", "Hdf5Group", "Hdf5Serializer", "WithAttributes"]

# Superblock 2: readable since HDF5 1.8, and attributes may be larger than 64 KiB.
_VERSIONS = ("v108", "v108")

_MAX_DEPTH = 100


class Hdf5Serializer(OptionSerializer[Any]):
    """Arrays, and dicts of arrays at any depth, as an HDF5 file. Loading never runs code.

    Parameters
    ----------
    lazy
        Whether to return `Hdf5Group` and `Hdf5Array`, which read data on access, instead of dicts and arrays.
        The file stays open meanwhile.
    compression
        ``"gzip"``, or None for no compression.

    Raises
    ------
    InvalidArgumentError
        If the compression is neither of these.

    Notes
    -----
    A value is an array, a number, text, bytes, None, or a dict of such values, with text as keys;
    `WithAttributes` adds attributes to any of them. Dicts become groups, in their order, and the rest data
    sets. Keys that HDF5 cannot name are escaped. Arrays come back with their dtype, shape and memory order,
    and as ``np.matrix`` or ``np.recarray`` if they were. Equal values have equal data. Links to other files,
    references and Python objects are never followed or loaded.

    HDF5 reads such files since version 1.8 (superblock 2 of the `HDF5 file format specification
    <https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t2.html>`_).

    Examples
    --------
    >>> serializer = Hdf5Serializer()
    >>> serializer.loads(serializer.dumps({"run": {"x": np.arange(3), "seed": 7}}))
    {'run': {'x': array([0, 1, 2]), 'seed': 7}}
    >>> lazy = Hdf5Serializer(lazy=True).loads(serializer.dumps({"x": np.arange(1000)}))
    >>> lazy["x"]
    <Hdf5Array, shape (1000,), dtype int64>
    >>> lazy["x"][10:13]
    array([10, 11, 12])
    """

    name = "hdf5"
    suffix = ".h5"
    options = ("lazy", "compression")

    def __init__(self, *, lazy: bool = False, compression: str | None = None) -> None:
        if compression not in (None, "gzip"):
            raise InvalidArgumentError(f"compression is None or 'gzip', got {compression!r}")
        self.lazy = bool(lazy)
        self.compression = compression
        self.stream_from: int | None = 0 if self.lazy else 1 << 20

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        # HDF5 leaves a file that is changed in place unreadable if interrupted; this one is replaced.
        options = {"driver": "core", "backing_store": False, "block_size": 1 << 20}
        with h5py.File("memory", "w", libver=_VERSIONS, track_order=True, **options) as file:
            bare, _ = _apart(value)
            note = {"format": 1} if type(bare) is dict else {"format": 1, "value": True}
            if type(bare) is dict:
                self._fill(file, value, (), note)
            else:
                _annotate(file, {}, note)
                self._put(file, "value", value, ())
            file.flush()
            image: bytes = file.id.get_file_image()
            return image

    def loads(self, data: bytes) -> Any:  # docstring inherited
        return self._read(MemoryFile(data))

    def load(self, file: BinaryIO) -> Any:  # docstring inherited
        try:
            source = PositionedFile(file.fileno())
        except (AttributeError, OSError):  # a stream
            return self.loads(file.read())
        return self._read(source)

    def _read(self, source: Source) -> Any:
        reader = Reader(source)
        if self.lazy:
            return reader.lazily(reader.top)
        with reader.file:
            return reader.whole(reader.top)

    def _fill(self, group: h5py.Group, value: Any, path: tuple[Any, ...], note: dict[str, Any]) -> None:
        items, attrs = _apart(value)
        with _naming_path(path):
            if len(path) > _MAX_DEPTH:
                raise SerializationError(f"dicts are nested deeper than {_MAX_DEPTH} levels, or without end")
            _annotate(group, attrs, note)
        for key, inner in items.items():
            here = (*path, key)
            if type(_apart(inner)[0]) is dict:
                with _naming_path(here):
                    below = group.create_group(link_name(key), track_order=True)
                self._fill(below, inner, here, {})
            else:
                with _naming_path(here):
                    name = link_name(key)
                self._put(group, name, inner, here)

    def _put(self, group: h5py.Group, name: str, value: Any, path: tuple[Any, ...]) -> None:
        bare, attrs = _apart(value)
        with _naming_path(path):
            item = encode(bare)
            packed = self.compression is not None and np.ndim(item.data) > 0 and np.size(item.data) > 0
            options = {"compression": self.compression, "shuffle": True} if packed else {}
            data_set = group.create_dataset(name, data=item.data, track_order=True, **options)
            _annotate(data_set, attrs, item.note)


def _apart(value: Any) -> tuple[Any, dict[str, Any]]:
    """Return a value without its attributes, and the attributes."""
    if isinstance(value, Hdf5Array | Hdf5Group):
        value = value.load()
    return (value.value, value.attrs) if type(value) is WithAttributes else (value, {})


def _annotate(thing: Any, attrs: dict[str, Any], note: dict[str, Any]) -> None:
    notes = {}
    for key, value in attrs.items():
        name = attribute_name(key)
        try:
            item = encode(value)
            thing.attrs.create(name, item.data)
        except Exception as error:
            raise SerializationError(f"attribute {shown(key)}: {error}") from error
        if item.note:
            notes[name] = item.note
    if notes:
        note = {**note, "attrs": notes}
    if note:
        thing.attrs[NOTE] = json.dumps(note)


@contextmanager
def _naming_path(path: tuple[Any, ...]) -> Iterator[None]:
    """Add to errors where in the value they happened."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        where = "$" + "".join(f"[{shown(key)}]" for key in path)
        raise SerializationError(f"{where}: {error}") from error
