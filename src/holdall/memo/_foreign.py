"""Values of other modules as bytes: times, paths, functions; numpy's and pandas' in their own modules.

Nothing is imported for it: a value of numpy can only exist if numpy was imported.
"""

import sys
import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from holdall.memo._encoder import Encode, Encoder, Unkeyable, found_by_name, is_found, name_of
from holdall.memo._making import WHEN_WHOLE, when_whole
from holdall.memo._numpy import NUMPY
from holdall.memo._pandas import PANDAS, TABLES
from holdall.memo._version import digest_of

__all__ = ["find"]


def find(cls: type) -> tuple[type, Encode] | None:
    """Return the encoder for objects of a class, and the base that it is for; None if there is none here."""
    if issubclass(cls, type):
        return cls, _class
    for base in cls.__mro__:
        root = _root(base)
        found = (_FOREIGN.get(root) or {}).get(base.__name__)
        if found is not None:
            if found in WHOLE:  # they encode attributes themselves
                return cls, found
            return next(known for known in cls.__mro__ if _root(known) == root), found
    return None


#: Encoders that encode all attributes of objects, also those of subclasses.
WHOLE = frozenset({NUMPY["ndarray"], *(PANDAS[name] for name in TABLES)})


def _root(cls: type) -> str:
    return cls.__module__.partition(".")[0]


# ---------------------------------------------------------------------- the standard library


def _by(name: str, *attributes: str) -> Encode:
    """Return an encoder of some attributes, with the class of the object."""

    def encode(value: Any, e: Encoder) -> None:
        e.begin(b"D", type(value), f"{name} ")
        for attr in attributes:
            e.add(getattr(value, attr))
        e.close()

    return encode


def _text(value: Any, e: Encoder, to_text: Callable[[Any], str] = str) -> None:
    e.begin(b"D", type(value))
    e.add(to_text(value))
    e.close()


def _path(value: Any, e: Encoder) -> None:
    # A PosixPath and a PurePosixPath are equal: whether files can be opened does not matter.
    name = type(value).__name__
    e.parts(b"D", name if e.exact else name.removeprefix("Pure"), (value.as_posix(),))


def _zone(value: Any, e: Encoder) -> None:
    if getattr(value, "key", None) is None:
        raise Unkeyable("a time zone made from a file has no name: use ZoneInfo(name)")
    e.parts(b"D", "ZoneInfo", (value.key,))


def _date(value: Any, e: Encoder) -> None:
    e.begin(b"D", type(value))
    e.add(value.isoformat())
    e.close()


def _time(value: Any, e: Encoder) -> None:
    e.begin(b"D", type(value))
    e.text(value.replace(tzinfo=None).isoformat())
    e.add(value.fold)
    e.add(value.tzinfo)
    e.close()


def _ufunc(value: Any, e: Encoder) -> None:
    if value.__name__.endswith("(vectorized)"):  # made by frompyfunc of a function, which it does not tell
        e.by_identity(value)
    else:
        _text(value, e)


def _class(value: Any, e: Encoder) -> None:
    e.out.append(b"n")
    if e.named(value):
        e.text(digest_of(value if is_found(value) else found_by_name(value)))


def _module(value: Any, e: Encoder) -> None:
    name = value.__name__
    if sys.modules.get(name) is not value:
        raise Unkeyable(f"the module {name} is not the one that is imported by this name")
    e.parts(b"n", "module", (name,))


def _alias(value: Any, e: Encoder) -> None:
    """Encode a generic class or a union by its text, and by classes in it that their names do not lead to."""
    _text(value, e, repr)
    for part in (getattr(value, "__origin__", None), *value.__args__):
        if isinstance(part, types.GenericAlias | types.UnionType):
            _alias(part, e)
        elif isinstance(part, type) and not is_found(part):
            e.named(part)


def _function(value: Any, e: Encoder) -> None:
    """Encode a function by its qualified name, its code with dependencies, and its attributes."""
    try:
        digest = digest_of(value, whole=not is_found(value))
    except Unkeyable:
        if e.token is None:
            raise
        e.by_identity(value)
        return
    e.open(b"F", name_of(value))
    e.text(digest)
    for name, attribute in sorted(vars(value).items()):
        if digest and name != "__wrapped__":  # followed as code
            e.attribute(name, attribute)
    e.close()


def _method(value: Any, e: Encoder) -> None:
    e.parts(b"F", "method", (value.__func__, value.__self__))


def _built_in(value: Any, e: Encoder) -> None:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType | type):
        e.open(b"F", f"{value.__module__ or getattr(owner, '__qualname__', '')}.{value.__qualname__}")
        if isinstance(owner, type) and not is_found(owner):
            e.named(owner)
    else:
        e.open(b"F", value.__qualname__)
        e.add(owner)
    e.close()


def _descriptor(value: Any, e: Encoder) -> None:
    e.parts(b"F", value.__name__, (value.__objclass__,))


def _partial(value: Any, e: Encoder) -> None:
    e.parts(b"F", "partial", (value.func, value.args, value.keywords, vars(value)))


def _memoized(value: Any, e: Encoder) -> None:
    e.add(value.__wrapped__)


def _table(names: Iterable[str], encode: Encode) -> dict[str, Encode]:
    return dict.fromkeys(names, encode)


#: By package and name of the class.
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
        "method-wrapper": when_whole("__name__", "__self__"),
        "module": _module,
        "ellipsis": _text,
        "NotImplementedType": _text,
        "NoDefaultType": _text,  # of type variables, from Python 3.13 on
        "GenericAlias": _alias,
        "UnionType": _alias,
    },
    "types": _table(("GenericAlias", "UnionType"), _alias),
    **WHEN_WHOLE,
    "typing": {**WHEN_WHOLE["typing"], "Union": _alias},  # of ``int | str`` since Python 3.14
    "collections": _table(("UserDict", "UserList", "UserString"), _by("", "data"))
    | {"ChainMap": _by("", "maps")},
    "logging": _table(("Logger",), _by("", "name")),
    "numpy": {**NUMPY, "ufunc": _ufunc},
    "pandas": PANDAS,
}
