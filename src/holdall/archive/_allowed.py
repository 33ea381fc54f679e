"""What an archive may name when it is read without running it: exact names, and their arguments.

A module that is harmless today may get a function that is not, so whole modules are never allowed. Names that
take text and return something to call (``getattr``, ``Enum(...)``, ``type(...)``) are not on the list.
"""

import re
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from enum import EnumType
from importlib import import_module
from types import GenericAlias
from typing import Any, NamedTuple

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, SerializationError

__all__ = [
    "MAX_INLINE",
    "Allowed",
    "Name",
    "is_array_data",
    "is_dtype",
    "is_hashable",
    "is_shape",
]

Check = Callable[[tuple[Any, ...], dict[str, Any]], bool]

_NUMBERS = (bool, int, float)
_MAX_BITS = 1 << 20  # of ints that are divided
_MAX_PATTERN = 10_000  # characters of a regular expression
_MAX_DIGITS = 1_000_000
_MAX_KEY_DEPTH = 100
_MAX_KEY_PARTS = 1_000_000
_MAX_NUMBERS = 1_000_000  # in the text of one array

#: Bytes of an array in the text.
MAX_INLINE = 1 << 28

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_NUMPY_TYPE = re.compile(r"[<>=|]?[a-zA-Z_]+[0-9]{0,9}(\[[0-9]*[a-zA-Z]+\])?")


class Name(NamedTuple):
    """A module ("" as path) or a name in it, which was not looked up yet."""

    module: str
    path: str

    def __str__(self) -> str:
        return f"{self.module}.{self.path}" if self.path else self.module


def _takes(*types: Any, at_least: int | None = None, **named: Any) -> Check:
    """Return a check of exact types, by position and by name; the last ones may be omitted."""
    least = len(types) if at_least is None else at_least

    def check(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> bool:
        return (
            least <= len(arguments) <= len(types)
            and all(_is(value, kind) for value, kind in zip(arguments, types, strict=False))
            and all(key in named and _is(value, named[key]) for key, value in keywords.items())
        )

    return check


def _is(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    return type(value) in kind if isinstance(kind, tuple) else kind(value)


def _short(limit: int, *types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types and len(value) <= limit


def _zone(value: Any) -> bool:
    from datetime import tzinfo  # noqa: PLC0415

    return value is None or isinstance(value, tzinfo)


def _one_of(module: str, *names: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__module__ == module and type(value).__qualname__ in names


def _quiet_flags(value: Any) -> bool:
    return type(value) is re.RegexFlag and not value & re.DEBUG  # DEBUG prints


def _members(value: Any) -> bool:
    return type(value) in (list, set) and all(map(is_hashable, value))


def is_hashable(key: Any) -> bool:
    """Return whether the hash of a key, or of a member of a set, is computed in reasonable time.

    The hash of a tuple is computed from all its parts, each time: that of a few lines can take for ever, or
    end the process. Frozensets remember theirs, but two equal ones are compared by all their parts.
    """
    parts, level = 0, [key]
    for _ in range(_MAX_KEY_DEPTH):
        level = [part for item in level for part in _hashed_with(item)]
        parts += len(level)
        if not level:
            return True
        if parts > _MAX_KEY_PARTS:
            break
    return False


def _hashed_with(value: Any) -> Iterable[Any]:
    if type(value) is slice:
        return value.start, value.stop, value.step
    if type(value) is GenericAlias:
        return value.__origin__, *value.__args__
    return value if type(value) in (tuple, frozenset) else ()


def _small_int(value: Any) -> bool:
    return type(value) is int and value.bit_length() <= _MAX_BITS


def _attribute(value: Any) -> bool:
    return type(value) is str and all(part.isidentifier() and part[0] != "_" for part in value.split("."))


def _factory(value: Any) -> bool:
    return value is None or value in _FACTORIES


_FACTORIES: tuple[Any, ...] = (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
_INT, _STR, _BYTES = (int,), (str,), (bytes,)
_KIND = (int, type(None))

_CLOCK = dict.fromkeys(("hour", "minute", "second", "microsecond", "fold"), _INT) | {"tzinfo": _zone}
_SPAN = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")

_CALLS: dict[str, Check] = {
    "builtins.complex": _takes(_NUMBERS, _NUMBERS),
    "builtins.float": _takes(lambda value: value in ("nan", "inf", "-inf")),
    "builtins.int": _takes(_STR, lambda base: base == 16),  # longer than decimal digits may be
    "builtins.set": _takes(_members, at_least=0),
    "builtins.frozenset": _takes(_members, at_least=0),
    "builtins.list": _takes(),
    "builtins.dict": _takes(),
    "builtins.bytearray": _takes(_BYTES, at_least=0),
    "builtins.range": _takes(_INT, _INT, _INT, at_least=1),
    "builtins.slice": _takes(Any, Any, Any, at_least=1),
    "builtins.object": _takes(),
    "datetime.date": _takes(_INT, _INT, _INT),
    "datetime.datetime": _takes(*[_INT] * 7, at_least=3, **_CLOCK),
    "datetime.time": _takes(*[_INT] * 4, at_least=0, **_CLOCK),
    "datetime.timedelta": _takes(*[_INT] * 3, at_least=0, **dict.fromkeys(_SPAN, _INT)),
    "datetime.timezone": _takes(_one_of("datetime", "timedelta"), _STR, at_least=1),
    "zoneinfo.ZoneInfo": _takes(lambda key: type(key) is str and bool(_ZONE.fullmatch(key))),
    "zoneinfo.ZoneInfo.no_cache": _takes(lambda key: type(key) is str and bool(_ZONE.fullmatch(key))),
    "decimal.Decimal": _takes(_short(_MAX_DIGITS, str)),
    "fractions.Fraction": _takes(_small_int, _small_int, at_least=1),
    "uuid.UUID": _takes(_STR, is_safe=_one_of("uuid", "SafeUUID")),
    "pathlib.Path": _takes(_STR),
    "pathlib.PurePosixPath": _takes(_STR),
    "pathlib.PureWindowsPath": _takes(_STR),
    "ipaddress.IPv4Address": _takes((int, str)),
    "ipaddress.IPv6Address": _takes((int, str)),
    **{
        f"ipaddress.IPv{version}{kind}": _takes((str, tuple))
        for version in (4, 6)
        for kind in ("Network", "Interface")
    },
    "re.compile": _takes(_short(_MAX_PATTERN, str, bytes), _quiet_flags, at_least=1),
    "array.array": _takes(lambda code: code in set("bBuwhHiIlLqQfd"), (list,)),
    "collections.OrderedDict": _takes(),
    "collections.Counter": _takes(),
    "collections.deque": _takes(lambda value: type(value) is list and not value, _KIND, at_least=0),
    "collections.defaultdict": _takes(_factory, at_least=0),
    "types.SimpleNamespace": _takes(),
    "types.MappingProxyType": _takes((dict, Counter, OrderedDict, defaultdict)),
    "types.GenericAlias": _takes((type,), (tuple,)),
    # only made here, and never called
    "functools.partial": lambda arguments, _: bool(arguments) and callable(arguments[0]),
    "operator.attrgetter": lambda arguments, keywords: (
        bool(arguments) and not keywords and all(map(_attribute, arguments))
    ),
    "operator.itemgetter": lambda arguments, keywords: bool(arguments) and not keywords,
    "operator.methodcaller": lambda arguments, _: bool(arguments) and _attribute(arguments[0]),
}

_EXCEPTIONS = frozenset(
    name for name, value in vars(import_module("builtins")).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)  # fmt: skip

# Names that may be used as values, besides those that may be called: types, and constants.
_VALUES = frozenset(
    {f"builtins.{name}" for name in ("bool", "bytes", "memoryview", "NotImplemented", "str", "tuple", "type")}
    | {"datetime.timezone.utc", "datetime.UTC", "dataclasses.MISSING", "inspect.Parameter.empty"}
    | {"types.NoneType", "types.EllipsisType", "types.FunctionType", "numpy.ma.masked_singleton"}
    | {"collections.ChainMap", "collections.UserDict", "collections.UserList", "numpy.ndarray"}
    | {"numpy.matrix", "numpy.recarray", "numpy.record"}
    | {"numpy.ma.MaskedArray", "numpy.ma.masked"}
)  # fmt: skip

# Classes of Python in collections, whose instances are their attributes.
_CONTAINERS = frozenset({"ChainMap", "UserDict", "UserList", "UserString"})

# Enumerations whose members may be named.
_ENUMS = frozenset({"re.RegexFlag", "uuid.SafeUUID", "http.HTTPStatus", "http.HTTPMethod"})

_NUMPY_EXACT = {"void": _BYTES, "bytes_": _BYTES, "str_": _STR}
_NUMPY_SCALARS = re.compile(
    "bool_|u?int(8|16|32|64|c|p)|u?longlong|float(16|32|64)|complex(64|128)|(datetime|timedelta)64|c?longdouble"
)

_ML_DTYPES = re.compile("bfloat16|b?complex32|float[468]_e[0-9]m[0-9](fn|fnu|fnuz|b11fnuz)?|u?int[124]")


class Allowed:
    """What one reading allows: the list of this module, and the caller's additions.

    Parameters
    ----------
    more
        Classes and functions that archives may use in any way, including instances of the classes by name.
    """

    def __init__(self, more: Iterable[Any] = ()) -> None:
        self.more = tuple(more)
        for thing in self.more:
            if not callable(thing):
                raise InvalidArgumentError(f"allow is for classes and functions, got {shown(thing, 100)}")

    def find(self, name: Name) -> Any:
        """Return the object of a name, as a value.

        Raises
        ------
        SerializationError
            If it is not on the list.
        """
        text = str(name)
        if text in _CALLS or text in _VALUES or self._is_harmless_type(name):
            return _look_up(name)
        owner, _, member = name.path.rpartition(".")
        if owner and self._is_enumeration(Name(name.module, owner)):
            return self.member(Name(name.module, owner), member)
        trusted = self._trusted(name)
        if trusted is not None:
            return trusted
        raise SerializationError(
            f"{text} is not among the names that are safe to use: allow=[...] adds classes and functions "
            "that you trust; if you trust all of the archive, import it",
        )

    def call(self, name: Name, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call the object of a name, if the arguments are allowed.

        Raises
        ------
        SerializationError
            If it is not on the list, or not with such arguments.
        """
        text = str(name)
        check = _CALLS.get(text)
        if check is None and self._trusted(name) is None:
            check = self._check_of_type(name)
        if check is None and self._trusted(name) is None:
            self.find(name)
            raise SerializationError(f"{text} is not called by any archive")
        if check is not None and not check(arguments, keywords):
            raise SerializationError(f"{text} is not called with such arguments by any archive")
        return (_look_up(name) if check is not None else self._trusted(name))(*arguments, **keywords)

    def member(self, name: Name, member: str) -> Any:
        """Return the member of an enumeration."""
        cls = _look_up(name) if str(name) in _ENUMS else self._trusted(name)
        if not isinstance(cls, EnumType) or member not in cls.__members__:
            raise SerializationError(f"{name} is no enumeration that may be used, or has no {member!r}")
        return cls.__members__[member]

    def _is_enumeration(self, name: Name) -> bool:
        return str(name) in _ENUMS or isinstance(self._trusted(name), EnumType)

    def is_trusted(self, value: Any) -> bool:
        """Return whether an object is of a class that the caller allows, or of a harmless one."""
        return self.is_trusted_class(type(value))

    def is_trusted_class(self, cls: Any) -> bool:
        """Return whether instances of a class may be made, and given attributes."""
        if not isinstance(cls, type):
            return False
        return cls in self.more or (cls.__module__ == "collections" and cls.__name__ in _CONTAINERS)

    def _is_harmless_type(self, name: Name) -> bool:
        return self._check_of_type(name) is not None

    def _check_of_type(self, name: Name) -> Check | None:
        """Return the check of one of the families of types: exceptions, scalars of numpy."""
        if str(name) in _ENUMS:
            return _takes(_INT)
        if name.module == "builtins" and name.path in _EXCEPTIONS:
            return lambda _, keywords: not keywords
        if name.module == "numpy":
            return _numpy_check(name.path)
        if str(name) == "numpy.dtypes.StringDType":
            return _takes(coerce=(bool,), na_object=(type(None), float, str))
        if name.module == "ml_dtypes" and _ML_DTYPES.fullmatch(name.path):
            return _takes(_NUMBERS)
        return None

    def _trusted(self, name: Name) -> Any:
        """Return what the caller allows under a name; import nothing for it, and run no hook."""
        scope: Any = vars(sys.modules[name.module]) if name.module in sys.modules else {}
        found: Any = None
        for part in name.path.split("."):
            found = scope.get(part)
            scope = vars(found) if isinstance(found, type) else {}
        if isinstance(found, classmethod | staticmethod):
            return None
        if found is None or not any(found is thing or type(found) is thing for thing in self.more):
            return None
        return found


def _look_up(name: Name) -> Any:
    """Return the object of a name on the list."""
    found: Any = import_module(name.module)
    for part in name.path.split("."):
        found = getattr(found, part)
    return found


def _numpy_check(path: str) -> Check | None:
    if path in _NUMPY_EXACT:  # some of them allocate memory by a given number
        return _takes(_NUMPY_EXACT[path])
    if _NUMPY_SCALARS.fullmatch(path):
        return _takes((bool, int, float, complex, str), _STR, at_least=1)
    if path == "dtype":  # object dtypes only for arrays with objects in the text
        return _takes(lambda spec: is_dtype(spec) or spec in ("O", "|O", "object"), metadata=(dict,))
    if path == "array":
        return lambda arguments, keywords: (
            len(arguments) == 2 and not keywords and is_dtype(arguments[1]) and is_array_data(*arguments)
        )
    return None


def is_dtype(spec: Any) -> bool:
    """Return whether this specifies a dtype whose items are not Python objects."""
    if type(spec) is str:
        return bool(_NUMPY_TYPE.fullmatch(spec)) and "O" not in spec.strip("<>=|")[:1] and spec != "object"
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(spec, numpy.dtype):
        return not spec.hasobject
    if type(spec) is tuple:
        return len(spec) == 2 and _is_base(spec[0]) and (is_shape(spec[1]) or is_dtype(spec[1]))
    if type(spec) is dict:
        known = {"names", "formats", "offsets", "titles", "itemsize", "aligned"}
        return spec.keys() <= known and all(map(_is_base, spec.get("formats", ())))
    return _is_base(spec)


def _is_base(spec: Any) -> bool:
    if isinstance(spec, type):
        return bool(spec.__module__ in ("numpy", "ml_dtypes") and spec.__name__ != "object_")
    return is_dtype(spec)


def is_shape(value: Any) -> bool:
    """Return whether this is the shape of an array."""
    return type(value) is tuple and all(type(length) is int and length >= 0 for length in value)


def is_array_data(data: Any, dtype: Any) -> bool:
    """Return whether nested lists of scalars are valid and not too large for an array of a dtype."""
    import numpy as np  # noqa: PLC0415

    count, todo = 0, [data]
    while todo:
        items = todo.pop()
        count += 1
        if type(items) is list:
            todo += items
        elif type(items) not in (bool, int, float, complex, str, bytes):
            return False
        if count + len(todo) > _MAX_NUMBERS:  # or infinite: a list may contain itself
            return False
    return bool(count * np.dtype(dtype).itemsize <= MAX_INLINE)
