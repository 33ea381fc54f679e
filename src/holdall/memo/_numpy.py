"""Arrays, numbers and types of numpy as bytes."""

import sys
from typing import Any

from holdall.memo._encoder import LARGE, Encode, Encoder

__all__ = ["NUMPY"]

_PIECE = 1 << 20  # bytes of an array copied at a time, if not contiguous
# Attributes that numpy's own classes have besides the encoded ones.
_INTERNAL = {
    "memmap": frozenset({"_mmap", "filename", "offset", "mode"}),
    "MaskedArray": frozenset(
        {
            *("_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_optinfo"),
            *("_basedict", "_data", "_recordmask", "_no_mask"),
        }
    ),
}


def _ndarray(value: Any, e: Encoder) -> None:
    numpy = sys.modules["numpy"]
    exact = type(value) in {numpy.ndarray, numpy.memmap}
    plain = numpy.asarray(value)
    dtype = plain.dtype
    if exact:
        e.open(b"A", "")
    else:
        e.begin(b"A", type(value))
    _dtype(dtype, e)
    e.add(plain.shape)
    if hasattr(value, "mask"):
        e.add(numpy.ma.getmaskarray(value))
        e.add((bool(value.hardmask), value.fill_value))
        plain = numpy.ma.filled(value)  # values under the mask do not count
    if dtype.names:
        for name in dtype.names:  # nor do gaps between the fields
            e.add(plain[name])
    elif dtype.hasobject or dtype.kind in "OT":
        e.add(plain.ravel().tolist())
    else:
        _elements(numpy, plain, e)
    known = next(cls for cls in type(value).__mro__ if cls.__module__.partition(".")[0] == "numpy")
    e.attributes(value, known, _INTERNAL.get(known.__name__, ()))
    e.close()


def _elements(numpy: Any, plain: Any, e: Encoder) -> None:
    if plain.flags.c_contiguous:
        e.out.append(b"C")
        e.buffer(_memory(plain))
    elif plain.flags.f_contiguous:
        e.out.append(b"F")
        e.buffer(_memory(plain.T))
    elif plain.nbytes <= _PIECE or plain.shape[0] == 1:
        e.out.append(b"C")
        e.buffer(_memory(numpy.ascontiguousarray(plain)))
    else:
        digest = LARGE()
        rows = max(1, _PIECE * len(plain) // plain.nbytes)
        for start in range(0, len(plain), rows):
            digest.update(_memory(numpy.ascontiguousarray(plain[start : start + rows])))
        e.out += (b"C", b"%d:" % plain.nbytes, digest.digest())


def _memory(plain: Any) -> memoryview:
    """Return the memory of a contiguous array of any type; times have no buffer of their own."""
    return memoryview(plain.reshape(-1).view("u1")) if plain.size else memoryview(b"")


def _dtype(value: Any, e: Encoder) -> None:
    plain = value.names is None and value.subdtype is None and value.kind != "T"
    e.open(b"D", "dtype")
    e.add(value.str if plain else repr(value))
    if not value.type.__module__.startswith("numpy"):  # several types of other packages have the same text
        e.named(value.type)
    metadata = _metadata(value)
    if metadata is not None:
        e.add(metadata)
    e.close()


def _metadata(value: Any) -> Any:
    """Return the metadata of a type and of the types of its parts; None for none."""
    own = dict(value.metadata) if value.metadata else None
    parts = [] if value.subdtype is None else [_metadata(value.subdtype[0])]
    parts += [_metadata(value.fields[name][0]) for name in value.names or ()]
    return (own, parts) if own is not None or any(part is not None for part in parts) else None


def _scalar(value: Any, e: Encoder) -> None:
    dtype = value.dtype
    if e.typed or dtype.kind not in "biufcSU" or dtype.char in "gG":
        e.open(b"G", "")
        _dtype(dtype, e)
        e.add(value.item() if dtype.hasobject else value.tobytes())
        e.close()
    else:
        e.add(value.item())


#: By name of the class.
NUMPY: dict[str, Encode] = {"ndarray": _ndarray, "generic": _scalar, "dtype": _dtype}
