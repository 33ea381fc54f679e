"""Classes whose objects are archived; importable without holdall."""

import collections
import dataclasses
import decimal
import enum
import typing


class Plain:
    def __init__(self, **values):
        vars(self).update(values)

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = object.__hash__

    def method(self):
        return self

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def helper():
        return 1

    class Inner:
        class Innermost:
            pass


@dataclasses.dataclass
class Point:
    x: float
    y: float


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: object
    y: object = ()


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    x: object
    y: object = None


@dataclasses.dataclass(frozen=True)
class HandSlots:
    __slots__ = ("x", "y")
    x: object
    y: object


@dataclasses.dataclass(slots=True)
class Slots:
    x: object
    y: object = None


class Mangled:
    __slots__ = ("__x", "unset")

    def __init__(self, x):
        self.__x = x

    def __eq__(self, other):
        return self.__x == other.__x


class MangledChild(Mangled):
    __slots__ = ("__dict__", "__x", "y")

    def __init__(self, x, y):
        super().__init__(x)
        self.__x = -x
        self.y = y
        self.z = 3

    def __eq__(self, other):
        return super().__eq__(other) and (self.__x, self.y, self.z) == (other.__x, other.y, other.z)


class Hidden:
    """A property has the name of an entry of ``__dict__``; setting anything is refused."""

    def __init__(self, x):
        self.__dict__["x"] = x

    @property
    def x(self):
        return ("property", self.__dict__["x"])

    @x.setter
    def x(self, value):
        raise AssertionError("a setter ran")

    def __setattr__(self, name, value):
        raise AssertionError("__setattr__ ran")

    def __eq__(self, other):
        return vars(self) == vars(other)


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1  # noqa: PIE796


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Bits(enum.IntFlag):
    A = 1
    B = 2


Odd = enum.Enum("Odd", {"a b": 1, "c": 2, "class": 3}, module=__name__)


class Open(enum.Enum):
    """Makes a member of any value."""

    KNOWN = 1

    @classmethod
    def _missing_(cls, value):
        member = object.__new__(cls)
        member._name_, member._value_ = f"UNKNOWN_{value}", value
        cls._value2member_map_[value] = member
        return member


class Pair(typing.NamedTuple):
    first: object
    second: object = None


OldPair = collections.namedtuple("OldPair", "first second")  # noqa: PYI024


class OwnPair(collections.namedtuple("OwnPairBase", "first second")):  # noqa: PYI024
    __slots__ = ()

    def __new__(cls, first, second, *, extra=None):
        raise AssertionError("not called with keywords")


class Int(int):
    pass


class Str(str):  # noqa: SLOT000
    pass


class Tuple(tuple):  # noqa: SLOT001
    pass


class List(list):
    pass


class Dict(dict):
    pass


class Set(set):
    pass


class Float(float):
    __slots__ = ("unit",)


class KeywordError(Exception):
    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


class FileError(OSError):
    def __init__(self, path):
        super().__init__(2, "not there", path)
        self.path = path


class Liar:
    def __repr__(self):
        return "1"

    def __eq__(self, other):
        return type(other) is Liar


class Proxy:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __eq__(self, other):
        return type(other) is Proxy and self.inner == other.inner


class Hashed:
    """Its hash is that of its name."""

    def __init__(self, name):
        self.name = name
        self.peers = set()

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return type(other) is Hashed and self.name == other.name


class HashedBySet:
    """Its hash needs the set that it may be in."""

    default = False

    def __init__(self):
        self.peers = None

    def __hash__(self):
        peers = vars(self).get("peers") if self.default else self.peers
        return len(peers) if peers is not None else 0


class _Nothing:
    __slots__ = ()

    def __repr__(self):
        return "NOTHING"


class _Named:
    def __init__(self, name):
        self.name = name


NOTHING = _Nothing()
MISSING = _Named("MISSING")
registry = Plain(count=1)


class Getstate:
    def __getstate__(self):
        return {"x": 1}


class GetSetstate:
    """As `pickle` documents: __new__ with the arguments of __getnewargs__, no __init__, __setstate__."""

    def __new__(cls, *args, **keywords):
        self = object.__new__(cls)
        self.__dict__["log"] = [("__new__", args, keywords)]
        return self

    def __init__(self, *args, **keywords):
        self.log.append(("__init__", args, keywords))

    def __getinitargs__(self):
        raise AssertionError("ignored since Python 3")

    def __getnewargs__(self):
        return ("a", 3)

    def __getstate__(self):
        return {"x": 1}

    def __setstate__(self, state):
        self.log.append(("__setstate__", state))


class NewargsEx:
    def __new__(cls, a, *, b):
        self = object.__new__(cls)
        self.made = (a, b)
        return self

    def __getnewargs_ex__(self):
        return (1,), {"b": [2]}

    def __eq__(self, other):
        return self.made == other.made


class Tally(collections.Counter):
    """Counter reduces itself to its items."""


class Length(decimal.Decimal):
    """Decimal reduces itself to its digits."""

    __slots__ = ("__dict__", "unit")


class SlotError(Exception):
    __slots__ = ("__place",)

    def __init__(self, place):
        super().__init__("text")
        self.__place = place

    @property
    def place(self):
        return self.__place


class ReduceAll:
    """Uses all six parts of what __reduce__ may return."""

    def __init__(self, items=(), pairs=(), state=None):
        self.items, self.pairs, self.state = list(items), dict(pairs), state

    def append(self, item):
        self.items.append(item)

    def __setitem__(self, key, value):
        self.pairs[key] = value

    def __reduce__(self):
        return ReduceAll, (), self.state, iter(self.items), iter(self.pairs.items()), _set_state

    def __eq__(self, other):
        return (self.items, self.pairs, self.state) == (other.items, other.pairs, other.state)


def _set_state(obj, state):
    obj.state = state


class ReduceName:
    def __reduce__(self):
        return "the_one"


the_one = ReduceName()


class FalsyState:
    def __getstate__(self):
        return 0

    def __setstate__(self, state):
        self.got = state


class Refusing:
    """Refuses to be reduced."""

    def __init__(self, error):
        self.error = error

    def __getstate__(self):
        raise self.error


class Reduced:
    """Is reduced to anything."""

    def __init__(self, parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


def module_by_property():
    """Return an object of a class that has a property in place of the name of its module."""
    return type("Elsewhere", (), {"__module__": property(lambda self: "elsewhere")})()


def function(x):
    return x


def nested():
    def inner():
        return 1

    class Local:
        pass

    return inner, Local
