"""How single items are written in HDF5: arrays of any dtype, numbers, text, bytes and None.

Where HDF5 has a type for a value, it is written with that type, so that other programs read it. The rest is
written as bytes, with a note of what they are. Notes are JSON, in the attribute ``holdall`` of an object.
"""

import re
from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import h5py
import numpy as np

from holdall._shown import shown
from holdall.errors import CorruptValueError, SerializationError

# Longest description of a dtype that fits into the header of a data set, which HDF5 limits to 64 KiB.
_MAX_TYPE = 60_000

# The only types that are looked up in a module; a file cannot choose others.
_ML_DTYPES = re.compile("bfloat16|float[468]_e[0-9]m[0-9](fn|fnuz|b11fnuz)?|u?int[124]")

_CLASSES: dict[str, type[np.ndarray[Any, Any]]] = {"matrix": np.matrix, "recarray": np.recarray}

_INT64 = range(-(1 << 63), 1 << 63)


class WithAttributes:
    """An array, a number, a text or a dict of them, with HDF5 attributes.

    Parameters
    ----------
    value
        The value that the attributes belong to.
    attrs
        Names and values: arrays, numbers, text, bytes or None.

    Examples
    --------
    >>> from holdall.serializers import Hdf5Serializer
    >>> serializer = Hdf5Serializer()
    >>> data = serializer.dumps({"length": WithAttributes(np.arange(3), {"unit": "m"})})
    >>> length = serializer.loads(data)["length"]
    >>> length.value, length.attrs
    (array([0, 1, 2]), {'unit': 'm'})
    """

    __slots__ = ("attrs", "value")

    def __init__(self, value: Any, attrs: Mapping[str, Any]) -> None:
        self.value = value
        self.attrs = dict(attrs)

    def __repr__(self) -> str:
        return f"WithAttributes({self.value!r}, {self.attrs!r})"


class Item(NamedTuple):
    """What h5py writes, and the note that makes it come back as it was."""

    data: Any
    note: dict[str, Any]


def encode(value: Any) -> Item:
    """Return how a value is written.

    Raises
    ------
    SerializationError
        If HDF5 cannot store the value and return it equal.
    """
    kind = type(value)
    if value is None:
        return Item(h5py.Empty("u1"), {"type": "none"})
    if kind in (bool, float, complex) or (kind is int and value in _INT64):
        return Item(np.asarray(value), {"type": kind.__name__})
    if kind is int:
        return Item(_octets(hex(value).encode()), {"type": "hex"})
    if kind is str:
        octets = value.encode("utf-8", "surrogatepass")
        # text in HDF5 ends at its first null character, and is valid UTF-8
        plain = "\0" not in value and octets == value.encode(errors="replace")
        return Item(value, {}) if plain else Item(_octets(octets), {"type": "text"})
    if kind is bytes:
        return Item(_octets(value), {"type": "bytes"})
    if isinstance(value, np.generic):
        return _encode_array(np.asarray(value), "scalar")
    if kind in (np.ndarray, np.memmap):
        return _encode_array(np.asarray(value), None)
    for name, cls in _CLASSES.items():
        if kind is cls:
            return _encode_array(np.asarray(value), name)
    raise SerializationError(
        f"hdf5 keeps numpy arrays, numbers, text, bytes, None and dicts of them, got {kind.__name__}: "
        "use numpy.asarray(value), or serializer='pickle'",
    )


def _octets(data: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, np.uint8)


def _encode_array(array: np.ndarray[Any, Any], cls: str | None) -> Item:
    dtype = array.dtype
    if dtype.hasobject or dtype.metadata or dtype.kind == "T":
        raise SerializationError(
            f"an array of dtype {dtype} holds what HDF5 has no type for: use array.astype(str) for text, "
            "or serializer='pickle'",
        )
    note: dict[str, Any] = {} if cls is None else {"class": cls}
    if cls is None and not array.ndim:  # h5py reads it as a scalar in native byte order
        note = {"class": "array", "dtype": describe(dtype)}
    if array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous:
        note["order"] = "F"
    if _is_native(dtype):
        return Item(_without_gaps(array), note)
    note["dtype"] = describe(dtype)
    if dtype.kind == "U" and dtype.itemsize:
        try:
            encoded = np.char.encode(array, "utf-8")
        except UnicodeError:  # lone surrogates
            pass
        else:
            text = h5py.string_dtype("utf-8", encoded.dtype.itemsize)
            return Item(np.asarray(encoded).astype(text), note)
    note["raw"] = True
    plain = np.zeros(array.shape, dtype)  # in C order; gaps between fields must not expose old memory
    plain[...] = array
    octets = np.frombuffer(plain.tobytes(), np.uint8).reshape(*array.shape, dtype.itemsize)
    return Item(octets, note)


def _without_gaps(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.names is None:
        return array
    fresh: np.ndarray[Any, Any] = np.zeros(array.shape, array.dtype)
    fresh[...] = array
    return fresh


def _is_native(dtype: np.dtype[Any]) -> bool:
    """Return whether HDF5 has a type that comes back as this one."""
    if dtype.type.__module__ != "numpy" or not dtype.itemsize:
        return False
    try:
        tid = h5py.h5t.py_create(dtype, logical=True)
    except TypeError:
        return False
    return len(tid.encode()) < _MAX_TYPE and bool(describe(tid.dtype) == describe(dtype))


def describe(dtype: np.dtype[Any]) -> Any:
    """Return a dtype as JSON: text, or a dict for one with parts."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": describe(base), "shape": list(shape)}
    if dtype.names is None:
        return dtype.name if dtype.type.__module__ == "ml_dtypes" else dtype.str
    fields: Any = dtype.fields
    return {
        "names": list(dtype.names),
        "formats": [describe(fields[name][0]) for name in dtype.names],
        "offsets": [fields[name][1] for name in dtype.names],
        "titles": [fields[name][2] if len(fields[name]) > 2 else None for name in dtype.names],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def dtype_of(described: Any) -> np.dtype[Any]:
    """Return the dtype of a description by `describe`.

    Raises
    ------
    CorruptValueError
        If there is no such dtype.
    """
    try:
        return _dtype_of(described)
    except ImportError:
        raise
    except Exception as error:
        raise CorruptValueError(f"not the description of a dtype: {shown(described, 200)}") from error


def _dtype_of(described: Any) -> np.dtype[Any]:
    if isinstance(described, str):
        if _ML_DTYPES.fullmatch(described):
            import ml_dtypes  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

            small: np.dtype[Any] = np.dtype(getattr(ml_dtypes, described))
            return small
        made = np.dtype(described)
        if made.hasobject:
            raise CorruptValueError("arrays of Python objects are never read from HDF5")
        return made
    if "base" in described:
        return np.dtype((_dtype_of(described["base"]), tuple(described["shape"])))
    parts: Any = {name: described[name] for name in ("names", "offsets", "titles", "itemsize")}
    if not any(title is not None for title in parts["titles"]):
        del parts["titles"]
    parts["formats"] = [_dtype_of(part) for part in described["formats"]]
    record: np.dtype[Any] = np.dtype(parts, align=bool(described["aligned"]))
    return record


def decode(data: Any, note: dict[str, Any]) -> Any:
    """Return the value that was written as these data, as h5py reads them, with this note."""
    kind = note.get("type")
    if kind == "none" or isinstance(data, h5py.Empty):
        return None
    if kind in ("bool", "int", "float", "complex"):
        return {"bool": bool, "int": int, "float": float, "complex": complex}[kind](np.asarray(data).item())
    if kind in ("hex", "text", "bytes"):
        octets = np.asarray(data, np.uint8).tobytes()
        if kind == "hex":
            return int(octets, 16)
        return octets if kind == "bytes" else octets.decode("utf-8", "surrogatepass")
    if "class" not in note and not isinstance(data, np.ndarray):
        return data  # text, or a number from another program's file
    array = _decode_array(np.asarray(data), note)
    cls = note.get("class")
    if cls == "scalar":
        return array[()]
    return array.view(_CLASSES[cls]) if cls in _CLASSES else array


def _decode_array(array: np.ndarray[Any, Any], note: dict[str, Any]) -> np.ndarray[Any, Any]:
    if "dtype" in note:
        dtype = dtype_of(note["dtype"])
        if note.get("raw"):
            array = _from_octets(array, dtype)
        elif dtype.kind == "U":
            array = np.asarray(np.char.decode(array.astype(f"S{array.dtype.itemsize}"), "utf-8")).astype(
                dtype
            )
        else:
            array = array.astype(dtype)
    return np.asfortranarray(array) if note.get("order") == "F" else array


def _from_octets(octets: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    shape = octets.shape[:-1]
    if octets.dtype != np.uint8 or octets.shape[-1] != dtype.itemsize:
        raise CorruptValueError(f"items of dtype {dtype} take {dtype.itemsize} bytes, got {octets.shape}")
    if not prod(octets.shape):
        return np.zeros(shape, dtype)
    return np.frombuffer(bytearray(octets.tobytes()), dtype).reshape(shape)
