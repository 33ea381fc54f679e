"""Reading of HDF5: at once, or on access."""

import io
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

import h5py
import numpy as np

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers.hdf5._items import WithAttributes, decode, dtype_of
from holdall.serializers.hdf5._names import NOTE, link_name, note_of, original

# The most that deflate makes of one byte: an array that claims more is not read.
_MAX_EXPANSION = 1032

# The largest array that is read whatever the size of its file, since unwritten parts need no space.
_SMALL = 1 << 26

# How a heap of texts begins, the size of its header and of that of each object, and the end of a huge size.
_HEAP, _HEADER, _HUGE = b"GCOL", 16, b"\xff" * 7


class Source(io.RawIOBase):
    """A file that is read at positions, and refuses heaps that the HDF5 library would never finish to read.

    It adds the size of an object to that of its header, in 64 bits: where that is 0, it stays where it is.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._position = 0
        self._heap = range(0)  # where the last heap lies

    @abstractmethod
    def read_at(self, buffer: Any, position: int) -> int:
        """Read from a position, and return how many bytes were read."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read from the position, and return how many bytes were read."""
        at = self._position
        count = self.read_at(buffer, at)
        self._position += count
        data = memoryview(buffer)[:count]
        if data[:4] == _HEAP and count >= _HEADER:
            self._heap = range(at, at + int.from_bytes(data[8:16], "little"))
        # A look at each object of each heap would take longer than to read texts does.
        if at in self._heap and _HUGE in bytes(data):
            self._check_heap()
        return count

    def _check_heap(self) -> None:
        position, header = self._heap.start + _HEADER, bytearray(_HEADER)
        while position in self._heap and self.read_at(header, position) == _HEADER:
            number, size = int.from_bytes(header[:2], "little"), int.from_bytes(header[8:], "little")
            if not number:  # the rest is free
                return
            position += _HEADER + size + (-size % 8)
            if position > self._heap.stop:
                raise CorruptValueError("the data are not HDF5: a text in them is longer than its heap")


class PositionedFile(Source):
    """A descriptor of its own on an open file, independent of other readers.

    Processes that fork share the position of a file; this object keeps its own position in memory.
    """

    _descriptor: int | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        [self._descriptor] = map(os.dup, (descriptor,))  # no interrupt comes before it has its name

    def read_at(self, buffer: Any, position: int) -> int:  # docstring inherited
        if self._descriptor is None:
            raise ValueError("the file is closed")
        return os.preadv(self._descriptor, [buffer], position)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        super().close()


class MemoryFile(Source):
    """Data in memory as a file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self._data = memoryview(data)

    def read_at(self, buffer: Any, position: int) -> int:  # docstring inherited
        part = self._data[position : position + len(buffer)]
        memoryview(buffer)[: len(part)] = part
        return len(part)


class Reader:
    """One open file, written by the serializer or by another program."""

    def __init__(self, source: Source) -> None:
        self.size = source.size
        try:
            self.file = h5py.File(source, "r")
        except Exception as error:
            raise CorruptValueError(f"the data are not an HDF5 file: {error}") from error
        self.note = note_of(self.file)
        version = self.note.get("format")
        if version not in (None, 1):
            raise SerializationError(f"the file is of format {version!r}, newer than this version of holdall")

    @property
    def top(self) -> Any:
        """The object of h5py that contains the value."""
        return self.file["value"] if self.note.get("value") else self.file

    def key(self, name: str) -> str:
        """Return the key of a link's name."""
        return original(name) if self.note else name

    def member(self, group: h5py.Group, name: str) -> Any:
        """Return the target of a link of a group: a group or an array in this file."""
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise SerializationError(
                f"{group.name}/{name} is a link to somewhere else, which is not followed"
            )
        thing = group[name]
        if not isinstance(thing, h5py.Group | h5py.Dataset):
            raise SerializationError(f"{thing.name} is a named type: only groups and arrays are read")
        return thing

    def attrs(self, thing: Any, note: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes of a group or an array."""
        notes = note.get("attrs", {})
        names = [name for name in thing.attrs if name != NOTE]
        return {self.key(name): decode(thing.attrs[name], notes.get(name, {})) for name in names}

    def array(self, data_set: h5py.Dataset, note: dict[str, Any], index: Any = ()) -> Any:
        """Read an array, or a part of it."""
        if data_set.external or data_set.is_virtual:
            raise SerializationError(f"{data_set.name} lies in another file, which is not read")
        text = h5py.check_string_dtype(data_set.dtype)
        if text is None and h5py.check_ref_dtype(data_set.dtype):
            raise SerializationError(f"{data_set.name} holds references, which are not read")
        if index == () and data_set.nbytes > max(_SMALL, _MAX_EXPANSION * self.size):
            raise CorruptValueError(
                f"{data_set.name} claims {data_set.nbytes} bytes in a file of {self.size}: "
                "read parts of it with Hdf5Serializer(lazy=True)",
            )
        source = data_set.asstr() if text is not None and text.length is None else data_set
        return decode(source[index], note)

    def whole(self, thing: Any) -> Any:
        """Read a group or an array with everything in it."""
        return self._whole(thing, set())

    def _whole(self, thing: Any, seen: set[int]) -> Any:
        place = h5py.h5o.get_info(thing.id).addr
        if place in seen:
            raise SerializationError(f"{thing.name} occurs twice in the file: it is read with lazy=True only")
        seen.add(place)
        note = note_of(thing)
        value: Any
        if isinstance(thing, h5py.Group):
            value = {self.key(name): self._whole(self.member(thing, name), seen) for name in thing}
        else:
            value = self.array(thing, note)
        attrs = self.attrs(thing, note)
        return WithAttributes(value, attrs) if attrs else value

    def lazily(self, thing: Any) -> Any:
        """Return a group or an array to read from; read anything else at once."""
        if isinstance(thing, h5py.Group):
            return Hdf5Group(self, thing)
        note = note_of(thing)
        if "type" in note or note.get("class") == "scalar" or ("class" not in note and not thing.shape):
            return self.whole(thing)
        return Hdf5Array(self, thing, note)


class _Lazy:
    """The base of lazy groups and arrays."""

    def __init__(self, reader: Reader, h5: Any) -> None:
        self._reader = reader
        #: The `h5py.Group` or `h5py.Dataset` itself.
        self.h5 = h5

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes, read on access."""
        return self._reader.attrs(self.h5, note_of(self.h5))

    def load(self) -> Any:
        """Read all of it: the value that `Hdf5Serializer` returns without ``lazy``."""
        return self._reader.whole(self.h5)

    def close(self) -> None:
        """Close the file, for all groups and arrays of it."""
        self._reader.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Hdf5Group(_Lazy, Mapping[str, Any]):
    """A dict in an open HDF5 file: groups and arrays are returned without being read.

    Examples
    --------
    >>> from holdall.serializers import Hdf5Serializer
    >>> data = Hdf5Serializer().dumps({"run": {"x": np.zeros((3, 4)), "seed": 7}})
    >>> with Hdf5Serializer(lazy=True).loads(data) as group:
    ...     print(list(group), list(group["run"]), group["run"]["seed"], group["run"]["x"].shape)
    ['run'] ['x', 'seed'] 7 (3, 4)
    """

    def __getitem__(self, key: str) -> Any:
        name = link_name(key) if self._reader.note and type(key) is str else key
        # h5py takes paths, and "." for the group itself
        if type(name) is not str or name in ("", ".") or "/" in name or name not in self.h5:
            raise KeyError(key)
        return self._reader.lazily(self._reader.member(self.h5, name))

    def __iter__(self) -> Iterator[str]:
        return map(self._reader.key, self.h5)

    def __len__(self) -> int:
        return len(self.h5)

    def __repr__(self) -> str:
        return f"<Hdf5Group, {len(self)} items>" if self.h5 else "<Hdf5Group, closed>"


class Hdf5Array(_Lazy):
    """An array in an open HDF5 file: ``array[index]`` reads only that part, as in h5py.

    Examples
    --------
    >>> from holdall.serializers import Hdf5Serializer
    >>> data = Hdf5Serializer().dumps(np.arange(12).reshape(3, 4))
    >>> array = Hdf5Serializer(lazy=True).loads(data)
    >>> array.shape, array[1, 2:]
    ((3, 4), array([6, 7]))
    """

    def __init__(self, reader: Reader, h5: Any, note: dict[str, Any]) -> None:
        super().__init__(reader, h5)
        self._note = note

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array when it is read."""
        dtype: np.dtype[Any] = self.h5.dtype
        return dtype_of(self._note["dtype"]) if "dtype" in self._note else dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Length in each dimension."""
        shape: tuple[int, ...] = self.h5.shape
        return shape[:-1] if self._note.get("raw") else shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of items."""
        return int(np.prod(self.shape, dtype=object))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without dimensions has no length")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        note: dict[str, Any] = {name: self._note[name] for name in ("dtype", "raw") if name in self._note}
        if note.get("raw") and index != ():
            parts = index if isinstance(index, tuple) else (index,)
            whole = any(part is Ellipsis for part in parts)
            index = (*parts, slice(None)) if whole else (*parts, Ellipsis)
        try:
            found = self._reader.array(self.h5, note, index)
        except (OSError, RuntimeError) as error:
            raise CorruptValueError(f"{self.h5.name} cannot be read: {error}") from error
        return found[()] if isinstance(found, np.ndarray) and not found.ndim else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("an array in a file is read into a new one: copy=False is not possible")
        return np.asarray(self[...], dtype)

    def __repr__(self) -> str:
        return f"<Hdf5Array, shape {self.shape}, dtype {self.dtype}>" if self.h5 else "<Hdf5Array, closed>"
