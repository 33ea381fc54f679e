"""Arrays of numpy in its own formats: one array as .npy, a dict of arrays as .npz."""

import io
import math
import pickle
import struct
import zipfile
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from holdall._options import MmapMode
from holdall._shown import shown
from holdall.abc import Data, join_parts
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import OptionSerializer
from holdall.serializers._document import check_bound
from holdall.serializers._dtypes import require_descr, require_known
from holdall.serializers._maps import mapped

__all__ = ["NpySerializer", "NpzSerializer"]

# A header is parsed as a Python literal, so an enormous one is not tried (numpy's own limit of 10 000 is too
# little for records of hundreds of fields).
_MAX_HEADER = 100_000
_PIECE = 1 << 20  # bytes read at once from a file of unknown size

# Subclasses that add no content; others (masked arrays, arrays with units) would lose something.
_ARRAY_TYPES = (np.ndarray, np.memmap, np.matrix, np.recarray)

# The oldest version that can describe the dtype is used: 2 has room for long headers, 3 for any names.
_VERSIONS = ((1, 0), (2, 0), (3, 0))


# Length of the end record of a zip file, without the comment.
_ZIP_END_SIZE = 22


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def n_items(self) -> int:
        return math.prod(self.shape)  # unbounded, unlike numpy's own product

    @property
    def nbytes(self) -> int:
        return self.n_items * self.dtype.itemsize


class NpySerializer(OptionSerializer[Any]):
    """One numpy array, of any dtype, shape and memory order. Loading runs no code by default.

    Parameters
    ----------
    allow_pickle
        Whether to accept arrays of Python objects, which are pickled: loading them can run code.
    mmap_mode
        ``"r"`` maps arrays into memory read-only instead of reading them, ``"c"`` copy-on-write, where the
        store keeps them in files. When arrays in use take a quarter of the process's file descriptors,
        further ones are read.

    Notes
    -----
    Arrays come back writable except for mode ``"r"``. Contiguous arrays are written without a copy.
    ``np.matrix`` and ``np.recarray`` come back as plain arrays. Types that other packages add to numpy, such
    as bfloat16, and metadata of types are refused: the format cannot describe them.

    Examples
    --------
    >>> serializer = NpySerializer()
    >>> serializer.loads(serializer.dumps(np.arange(3)))
    array([0, 1, 2])
    """

    name = "npy"
    suffix = ".npy"
    options = ("allow_pickle", "mmap_mode")

    def __init__(self, *, allow_pickle: bool = False, mmap_mode: MmapMode | None = None) -> None:
        if mmap_mode in ("r+", "w+"):
            raise InvalidArgumentError(
                f"mmap_mode={mmap_mode!r} would let changes in place bypass the store: "
                "use 'r' or 'c' and assign the changed array",
            )
        if mmap_mode not in (None, "r", "c"):
            raise InvalidArgumentError(f"mmap_mode is None, 'r' or 'c', got {mmap_mode!r}")
        self.allow_pickle = allow_pickle
        self.mmap_mode = mmap_mode
        self.executes_code = bool(allow_pickle)
        self.stream_from: int | None = 1 << 18 if mmap_mode is None else 0

    def dumps(self, value: Any) -> bytes:  # docstring inherited
        return bytes(join_parts(self.parts(value)))

    def parts(self, value: Any) -> Data:  # docstring inherited
        array = _plain_array(value)
        pickled = array.dtype.hasobject or not getattr(type(array.dtype), "_legacy", True)
        if pickled and not self.allow_pickle:
            raise SerializationError(
                f"an array of dtype {array.dtype} holds Python objects: use serializer='pickle' "
                "or NpySerializer(allow_pickle=True), both of which run code on loading",
            )
        if pickled:
            return self._pickled(array)
        require_known(array.dtype)
        if not array.flags.forc:
            array = _copied(array)
        head = _header_of(array)
        if not array.nbytes:
            return head
        # An array in Fortran order is, transposed, one in C order.
        flat = (array if array.flags.c_contiguous else array.T).reshape(-1)
        return [head, _bytes_of(flat)]

    def _pickled(self, array: np.ndarray[Any, Any]) -> bytes:
        file = io.BytesIO()
        try:
            npy_format.descr_to_dtype(npy_format.dtype_to_descr(array.dtype))  # as a reader will do
            npy_format.write_array(file, array, allow_pickle=True)
        except Exception as error:
            raise SerializationError(
                f"an array of dtype {array.dtype} cannot be pickled: {error}",
            ) from error
        return file.getvalue()

    def loads(self, data: bytes | bytearray) -> np.ndarray[Any, Any]:  # docstring inherited
        file = io.BytesIO(data)
        header = self._read_header(file)
        start = file.tell()
        if header.dtype.hasobject:
            return self._unpickled(header, file.read())
        _require_size(header, len(data) - start)
        if not header.nbytes:
            return np.empty(header.shape, header.dtype, "F" if header.fortran else "C")
        if isinstance(data, bytearray):  # nobody else writes to it: the array may share it
            return _shaped(np.frombuffer(data, header.dtype, header.n_items, start), header)
        flat = np.empty(header.n_items, header.dtype)
        _bytes_of(flat)[:] = memoryview(data)[start:]
        return _shaped(flat, header)

    def load(self, file: BinaryIO) -> np.ndarray[Any, Any]:  # docstring inherited
        header = self._read_header(file)
        if header.dtype.hasobject:
            if self.mmap_mode is not None:
                raise SerializationError(
                    "an array of Python objects cannot be mapped into memory: read it with mmap_mode=None",
                )
            return self._unpickled(header, file.read())
        try:
            start = file.tell()
            size: int | None = file.seek(0, io.SEEK_END) - start
            file.seek(start)
        except (AttributeError, OSError):  # a stream
            size = None
        if size is None:  # do not allocate by the header alone
            rest = bytearray()
            while piece := file.read(_PIECE):  # all at once would take the memory twice
                rest += piece
            _require_size(header, len(rest))
            return _shaped(_flat_over(rest, header), header)
        _require_size(header, size)
        if self.mmap_mode is not None and header.nbytes and _has_descriptor(file):
            order: Any = "F" if header.fortran else "C"
            array: np.memmap[Any, Any] | None = mapped(
                file, self.mmap_mode, start, dtype=header.dtype, shape=header.shape, order=order
            )
            if array is not None:
                return array
        flat = np.empty(header.n_items, header.dtype)
        if header.nbytes:
            _fill(_bytes_of(flat), file)
        if self.mmap_mode == "r":  # as if mapped
            flat.flags.writeable = False
        return _shaped(flat, header)

    def _read_header(self, file: Any) -> _Header:
        try:
            version = npy_format.read_magic(file)
            if version == (1, 0):
                header = _Header(*npy_format.read_array_header_1_0(file, _MAX_HEADER))
            else:  # an unknown version is refused below
                source = _as_version_2(file) if version == (3, 0) else file
                header = _Header(*npy_format.read_array_header_2_0(source, _MAX_HEADER))
        except Exception as error:  # a header can contain any literal
            raise CorruptValueError(f"the data are not in npy format: {error}") from error
        if version not in _VERSIONS or min(header.shape, default=0) < 0:
            raise CorruptValueError(f"npy format {version} with shape {header.shape} is not known")
        if header.dtype.hasobject and not self.allow_pickle:
            raise SerializationError(
                "the array holds pickled Python objects, which would run code: if you trust who wrote it, "
                "read it with NpySerializer(allow_pickle=True)",
            )
        return header

    def _unpickled(self, header: _Header, data: bytes) -> np.ndarray[Any, Any]:
        file = io.BytesIO(data)
        array: np.ndarray[Any, Any] = pickle.Unpickler(file).load()
        if file.read(1):
            raise CorruptValueError("the data go on after the end of the array")
        return array.reshape(header.shape)


class NpzSerializer(OptionSerializer[dict[str, Any]]):
    """A dict of names and numpy arrays, as one zip file of .npy files that ``np.load`` reads.

    Parameters
    ----------
    compress
        Whether to compress the arrays.
    allow_pickle
        Whether to accept arrays of Python objects, which are pickled: loading them can run code.
    max_bytes
        How many bytes all arrays together may take when they are loaded, as a few kilobytes can hold
        gigabytes. None for no limit.

    Notes
    -----
    Equal dicts have equal data, since no times are recorded. All arrays are loaded at once.

    Examples
    --------
    >>> serializer = NpzSerializer()
    >>> serializer.loads(serializer.dumps({"run/1": np.arange(3)}))
    {'run/1': array([0, 1, 2])}
    """

    name = "npz"
    suffix = ".npz"
    options = ("compress", "allow_pickle", "max_bytes")

    def __init__(
        self, *, compress: bool = False, allow_pickle: bool = False, max_bytes: int | None = None
    ) -> None:
        self.max_bytes = check_bound("max_bytes", max_bytes)
        self.compress = compress
        self.allow_pickle = allow_pickle
        self.executes_code = bool(allow_pickle)
        self._npy = NpySerializer(allow_pickle=allow_pickle)

    def dumps(self, value: dict[str, Any]) -> bytes:  # docstring inherited
        if not isinstance(value, dict):
            raise SerializationError(
                f"serializer 'npz' keeps a dict of names and numpy arrays, got {type(value).__name__}",
            )
        file = io.BytesIO()
        method = zipfile.ZIP_DEFLATED if self.compress else zipfile.ZIP_STORED
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, array in value.items():
                self._add(archive, name, array)
        return file.getvalue()

    def _add(self, archive: zipfile.ZipFile, name: Any, array: Any) -> None:
        # zipfile truncates a name at a null character
        if not isinstance(name, str) or zipfile.ZipInfo(f"{name}.npy").filename != f"{name}.npy":
            raise SerializationError(f"names of arrays are str without null characters, got {shown(name)}")
        try:
            data = self._npy.parts(array)
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, the earliest possible
            info.compress_type = archive.compression
            with archive.open(info, "w", force_zip64=True) as member:
                for part in data if type(data) is list else [data]:
                    member.write(part)  # type: ignore[arg-type]
        except (ValueError, struct.error) as error:
            raise SerializationError(f"array {shown(name)}: {error}") from error

    def loads(self, data: bytes) -> dict[str, Any]:  # docstring inherited
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = _names_in(archive, data)
                # zipfile reads no more of a member than this size.
                size = sum(info.file_size for info in archive.infolist())
                if self.max_bytes is not None and size > self.max_bytes:
                    raise CorruptValueError(  # noqa: TRY301  (reported like the others)
                        f"the arrays take {size} bytes, more than the {self.max_bytes} of max_bytes"
                    )
                return {name.removesuffix(".npy"): self._npy.loads(archive.read(name)) for name in names}
        except SerializationError:
            raise
        except Exception as error:
            raise CorruptValueError(f"the data are not in npz format: {error}") from error


def _names_in(archive: zipfile.ZipFile, data: bytes) -> list[str]:
    # zipfile itself ignores what follows the end record of an archive
    end = len(data) - len(archive.comment) - _ZIP_END_SIZE
    if bytes(data[end : end + 4]) != b"PK\x05\x06":
        raise CorruptValueError("the data go on after the end of the zip file")
    names = archive.namelist()
    if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
        raise CorruptValueError(f"an npz file contains one .npy file for each name, not {shown(names, 200)}")
    return names


def _plain_array(value: Any) -> np.ndarray[Any, Any]:
    if type(value) in _ARRAY_TYPES:
        return np.asarray(value)
    if not isinstance(value, np.ndarray):
        remedy = "use numpy.asarray(value)"
    elif hasattr(value, "mask"):
        remedy = "the mask would be lost, keep value.data and value.mask"
    else:
        remedy = "what it adds to an array would be lost, use numpy.asarray(value) or serializer='pickle'"
    raise SerializationError(f"npy keeps numpy arrays, got {type(value).__name__}: {remedy}")


def _copied(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Gaps between the fields of records are not copied: they must not expose old memory.
    fresh: np.ndarray[Any, Any] = np.zeros(array.shape, array.dtype)
    fresh[...] = array
    return fresh


class _HeadError(Exception):
    """Raised to get a header out of numpy, which would write the array after it."""


class _HeadCatcher:
    def write(self, head: bytes) -> int:
        raise _HeadError(head)


def _header_of(array: np.ndarray[Any, Any]) -> bytes:
    if array.dtype.names is not None:
        require_descr(array.dtype)
    head = b""
    for version in _VERSIONS:
        try:
            npy_format.write_array(_HeadCatcher(), array, version, allow_pickle=False)
        except _HeadError as caught:
            head = caught.args[0]
            break
        except ValueError:  # too long, or names that this version cannot write
            if version == _VERSIONS[-1]:
                raise
    if len(head) > _MAX_HEADER:
        raise SerializationError(
            f"the dtype takes {len(head)} bytes to describe, npy keeps up to {_MAX_HEADER}: "
            "use serializer='pickle'",
        )
    return head


def _as_version_2(file: Any) -> io.BytesIO:
    """Return the header of version 3 as version 2 writes it: with the characters of its names escaped."""
    length = _take(file, 4)
    text = _take(file, min(int.from_bytes(length, "little"), 4 * _MAX_HEADER)).decode()
    header = text.encode("ascii", "backslashreplace")
    return io.BytesIO(len(header).to_bytes(4, "little") + header)


def _take(file: Any, size: int) -> bytes:
    data = bytearray(size)
    _fill(memoryview(data), file)
    return bytes(data)


def _fill(view: memoryview, file: Any) -> None:
    while view:
        got = file.readinto(view)  # raw files may return less
        if not got:
            raise CorruptValueError(f"the data end {len(view)} bytes too early")
        view = view[got:]


def _require_size(header: _Header, size: int) -> None:
    if size != header.nbytes:
        raise CorruptValueError(
            f"an array of shape {header.shape} and dtype {header.dtype} takes {header.nbytes} bytes, "
            f"but {size} follow the header",
        )


def _bytes_of(flat: np.ndarray[Any, Any]) -> memoryview:
    view: Any = flat.view(np.uint8)  # dates and other dtypes have no buffer
    return memoryview(view)


def _flat_over(data: bytearray, header: _Header) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, header.dtype) if header.nbytes else np.empty(header.n_items, header.dtype)


def _shaped(flat: np.ndarray[Any, Any], header: _Header) -> np.ndarray[Any, Any]:
    if header.fortran:
        return flat.reshape(header.shape[::-1]).T
    return flat.reshape(header.shape)


def _has_descriptor(file: Any) -> bool:
    try:
        file.fileno()
    except (AttributeError, OSError):
        return False
    return True
