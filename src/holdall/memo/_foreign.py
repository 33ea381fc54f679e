"""What values of other modules are: times, paths, functions, numpy arrays, pandas tables.

Nothing is imported for it: a value of numpy can only come from somebody who has imported it.
"""

import sys
import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from holdall.memo._fingerprint import LARGE, Encode, Encoder, Unkeyable, name_of
from holdall.memo._version import digest_of

__all__ = ["find"]

_PIECE = 1 << 20  # bytes of an array that are copied at a time, where they do not lie side by side


def find(cls: type) -> Encode | None:
    """Find how objects of a class are encoded, None if it is not one of those known here."""
    if issubclass(cls, type):
        return _named
    for base in cls.__mro__:
        root = base.__module__.partition(".")[0]
        found = (_FOREIGN.get(root) or {}).get(base.__name__)
        if found is not None:
            return found
    return None


# ---------------------------------------------------------------------- the standard library


def _by(name: str, *attributes: str) -> Encode:
    """Make an encoder of some attributes, with the class of the object."""

    def encode(value: Any, e: Encoder) -> None:
        e.parts(b"D", f"{name} {name_of(type(value))}", (getattr(value, attr) for attr in attributes))

    return encode


def _text(value: Any, e: Encoder, to_text: Callable[[Any], str] = str) -> None:
    e.parts(b"D", name_of(type(value)), (to_text(value),))


def _path(value: Any, e: Encoder) -> None:
    # A PosixPath and a PurePosixPath are equal: whether files may be opened is no part of what they name.
    e.parts(b"D", type(value).__name__.removeprefix("Pure"), (value.as_posix(),))


def _zone(value: Any, e: Encoder) -> None:
    if getattr(value, "key", None) is None:
        raise Unkeyable("a time zone made from a file has no name: use ZoneInfo(name)")
    e.parts(b"D", "ZoneInfo", (value.key,))


def _date(value: Any, e: Encoder) -> None:
    e.parts(b"D", name_of(type(value)), (value.isoformat(),))


def _time(value: Any, e: Encoder) -> None:
    e.open(b"D", name_of(type(value)))
    e.text(value.replace(tzinfo=None).isoformat())
    e.add(value.fold)
    e.add(value.tzinfo)
    e.close()


def _named(value: Any, e: Encoder) -> None:
    digest = digest_of(value)
    e.out.append(b"n")
    e.text(name_of(value))
    e.text(digest)


def _function(value: Any, e: Encoder) -> None:
    """Encode a function by its qualified name, its code and what that stands on, and its attributes."""
    try:
        digest = digest_of(value)
    except Unkeyable:
        if e.token is None:
            raise
        e.by_identity(value)
        return
    e.open(b"F", name_of(value))
    e.text(digest)
    for name, attribute in sorted(vars(value).items()):
        if digest and name != "__wrapped__":  # which is followed as code
            e.text(name)
            e.add(attribute)
    e.close()


def _method(value: Any, e: Encoder) -> None:
    e.parts(b"F", "method", (value.__func__, value.__self__))


def _built_in(value: Any, e: Encoder) -> None:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType | type):
        e.open(b"F", f"{value.__module__ or getattr(owner, '__qualname__', '')}.{value.__qualname__}")
    else:
        e.open(b"F", value.__qualname__)
        e.add(owner)
    e.close()


def _descriptor(value: Any, e: Encoder) -> None:
    e.parts(b"F", value.__name__, (value.__objclass__,))


def _partial(value: Any, e: Encoder) -> None:
    e.parts(b"F", "partial", (value.func, value.args, value.keywords))


def _memoized(value: Any, e: Encoder) -> None:
    e.add(value.__wrapped__)


# ---------------------------------------------------------------------- numpy


def _ndarray(value: Any, e: Encoder) -> None:
    numpy = sys.modules["numpy"]
    exact = type(value) in {numpy.ndarray, numpy.memmap}
    plain = numpy.asarray(value)
    dtype = plain.dtype
    e.open(b"A", "" if exact else name_of(type(value)))
    _dtype(dtype, e)
    e.add(plain.shape)
    if hasattr(value, "mask"):
        e.add(numpy.ma.getmaskarray(value))
        plain = numpy.ma.filled(value)  # what lies under the mask is no content
    if dtype.names:
        for name in dtype.names:  # what lies between the fields neither
            e.add(plain[name])
    elif dtype.hasobject or dtype.kind in "OT":
        e.add(plain.ravel().tolist())
    else:
        _elements(numpy, plain, e)
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
    """Give the memory of a contiguous array, whatever its type; times have no buffer of their own."""
    return memoryview(plain.reshape(-1).view("u1")) if plain.size else memoryview(b"")


def _dtype(value: Any, e: Encoder) -> None:
    e.parts(b"D", "dtype", (repr(value) if value.names else value.str,))


def _numpy_scalar(value: Any, e: Encoder) -> None:
    dtype = value.dtype
    if e.typed or dtype.kind not in "biufcSU" or dtype.char in "gG":
        e.open(b"G", "")
        _dtype(dtype, e)
        e.add(value.item() if dtype.hasobject else value.tobytes())
        e.close()
    else:
        e.add(value.item())


# ---------------------------------------------------------------------- pandas


def _frame(value: Any, e: Encoder) -> None:
    e.open(b"P", name_of(type(value)))
    e.add(value.index)
    e.add(value.columns)
    for column in range(value.shape[1]):
        _column(value.iloc[:, column].array, e)
    e.close()


def _series(value: Any, e: Encoder) -> None:
    e.open(b"P", name_of(type(value)))
    e.add(value.name)
    e.add(value.index)
    _column(value.array, e)
    e.close()


def _index(value: Any, e: Encoder) -> None:
    e.open(b"P", name_of(type(value)))
    e.add(list(value.names))
    if hasattr(value, "levels"):
        for level in range(value.nlevels):
            _column(value.get_level_values(level).array, e)
    else:
        _column(value.array, e)
    e.close()


def _column(value: Any, e: Encoder) -> None:
    """Encode a column: its type, and its content as numpy keeps it, or as objects."""
    dtype = value.dtype
    e.open(b"P", str(dtype))
    if hasattr(value, "codes"):
        e.add(value.codes)
        e.add(bool(value.ordered))
        e.add(value.categories)
    elif hasattr(value, "asi8"):
        e.add(value.asi8)
    elif hasattr(dtype, "numpy_dtype") and not hasattr(value, "_mask"):
        e.add(value.to_numpy())
    else:
        e.add(value.to_numpy(dtype=object))
    e.close()


def _pandas_scalar(value: Any, e: Encoder) -> None:
    e.parts(b"P", name_of(type(value)), (repr(value),))


def _table(names: Iterable[str], encode: Encode) -> dict[str, Encode]:
    return dict.fromkeys(names, encode)


#: By the package that a class is from and its name.
_FOREIGN: dict[str, dict[str, Encode]] = {
    "pathlib": _table(("PurePath",), _path),
    "datetime": {
        "datetime": _time,
        "time": _time,
        "date": _date,
        "timedelta": _by("", "days", "seconds", "microseconds"),
        "timezone": partial(_text, to_text=repr),
    },
    "zoneinfo": _table(("ZoneInfo",), _zone),
    "uuid": _table(("UUID",), _by("", "int")),
    "re": _table(("Pattern",), _by("", "pattern", "flags")),
    "ipaddress": _table(
        ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network", "IPv4Interface", "IPv6Interface"), _text
    ),
    "functools": _table(("partial",), _partial),
    "holdall": _table(("Memoized",), _memoized),
    "builtins": {
        "function": _function,
        "method": _method,
        "builtin_function_or_method": _built_in,
        "method_descriptor": _descriptor,
        "wrapper_descriptor": _descriptor,
        "module": lambda value, e: e.parts(b"n", "module", (value.__name__,)),
        "ellipsis": _text,
        "NotImplementedType": _text,
        "GenericAlias": partial(_text, to_text=repr),
        "UnionType": partial(_text, to_text=repr),
    },
    "types": _table(("GenericAlias", "UnionType"), partial(_text, to_text=repr)),
    "numpy": {
        "ndarray": _ndarray,
        "generic": _numpy_scalar,
        "dtype": _dtype,
        "ufunc": _text,
    },
    "pandas": {
        "DataFrame": _frame,
        "Series": _series,
        "Index": _index,
        "ExtensionArray": _column,
    }
    | _table(("Timestamp", "Timedelta", "Period", "Interval", "NaTType", "NAType"), _pandas_scalar),
}
