"""What a value is, as bytes: equal values give equal bytes, in every process and on every machine.

Every piece begins with a tag and tells its own length, so that no two sequences of values read alike.
Where numbers are not kept apart by type, those that Python finds equal give the same bytes.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from holdall.errors import InvalidArgumentError
from holdall.memo._numbers import (
    encode_bool,
    encode_complex,
    encode_decimal,
    encode_float,
    encode_fraction,
    encode_int,
)
from holdall.memo._project import imported_as

__all__ = ["ENCODERS", "Encoder", "Unkeyable", "encoder", "name_of", "register"]

#: From so many bytes on, a buffer is digested by itself, without a copy.
INLINE = 1024
#: SHA-256, since it must be the same on all machines and hard to collide on purpose: where processors help,
#: it is the fastest of the standard library (0.6 ms a megabyte; BLAKE2b 1.0, SHA-1 0.6, MD5 1.6).
LARGE = hashlib.sha256


class Unkeyable(Exception):  # noqa: N818  (an answer within this package, never seen outside)
    """Nothing tells this value from others; the text says why."""


class Encoder:
    """Bytes of values, one after the other.

    Parameters
    ----------
    typed
        Whether equal values of different types are different.
    token
        Gives a number for an object that is known by what it is, not by what it holds; None where such
        objects are refused.
    """

    __slots__ = ("local", "out", "token", "typed")

    def __init__(self, typed: bool = False, token: Callable[[Any], int] | None = None) -> None:
        self.out: list[bytes] = []
        self.typed = typed
        self.token = token
        #: Whether anything was encoded that means nothing in another process.
        self.local = False

    def add(self, value: Any) -> None:
        """Encode a value.

        Raises
        ------
        Unkeyable
            If it cannot be told from others.
        """
        (ENCODERS.get(type(value)) or encoder(type(value)))(value, self)

    def apart(self, value: Any) -> bytes:
        """Encode a value by itself."""
        before, self.out = self.out, []
        try:
            self.add(value)
            return b"".join(self.out)
        finally:
            self.out = before

    def text(self, text: str) -> None:
        """Encode text as part of something else."""
        data = text.encode("utf-8", "surrogatepass")
        self.out.append(b"%d:%b" % (len(data), data))

    def open(self, tag: bytes, name: str) -> None:
        """Begin something of parts; `close` ends it."""
        self.out.append(tag + b"<")
        self.text(name)

    def close(self) -> None:
        """End what was begun."""
        self.out.append(b">")

    def parts(self, tag: bytes, name: str, values: Iterable[Any]) -> None:
        """Encode something of which the parts tell all."""
        self.open(tag, name)
        for value in values:
            self.add(value)
        self.close()

    def buffer(self, view: memoryview) -> None:
        """Encode contiguous memory, large one by its digest and without a copy."""
        self.out.append(b"%d:" % view.nbytes)
        self.out.append(view.tobytes() if view.nbytes < INLINE else LARGE(view).digest())

    def by_identity(self, value: Any) -> None:
        """Encode an object that is known by what it is."""
        if self.token is None:
            raise Unkeyable(_advice(type(value)))
        self.local = True
        self.out.append(b"@%d;" % self.token(value))


Encode = Callable[[Any, Encoder], None]


def name_of(thing: Any) -> str:
    """Name a class or function the same way in every process."""
    module = getattr(thing, "__module__", None) or "builtins"
    if module in {"__main__", "__mp_main__"}:
        module = _main_module(module)
    return f"{module}.{getattr(thing, '__qualname__', thing.__name__)}"


def _main_module(name: str) -> str:
    """Name a script by its file: it has one name whether run, imported, or loaded by `multiprocessing`."""
    main = sys.modules.get(name) or sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if spec is not None and spec.name not in {"__main__", "__mp_main__"}:
        return str(spec.name)
    return imported_as(file) if file else "__main__"


def _advice(cls: type) -> str:
    return (
        f"{name_of(cls)} has no content that holdall knows: give the class a method __memo_key__, "
        "tell what its objects are by holdall.memo.register, or leave the argument out by ignore="
    )


def _none(value: Any, e: Encoder) -> None:
    del value
    e.out.append(b"N")


# ---------------------------------------------------------------------- text and bytes


def _str(value: Any, e: Encoder) -> None:
    data = value.encode("utf-8", "surrogatepass")
    e.out.append(b"s%d:%b" % (len(data), data))


def _bytes(value: Any, e: Encoder) -> None:
    e.out.append(b"b")
    e.buffer(memoryview(value))


def _bytearray(value: Any, e: Encoder) -> None:
    e.out.append(b"B")
    e.buffer(memoryview(value))


def _memoryview(value: Any, e: Encoder) -> None:
    e.parts(b"v", value.format, value.shape)
    e.buffer(memoryview(value.tobytes()) if not value.c_contiguous else value.cast("B"))


def _array(value: Any, e: Encoder) -> None:
    e.open(b"a", value.typecode)
    e.add(value.itemsize)
    e.close()
    e.buffer(memoryview(value).cast("B"))


# ---------------------------------------------------------------------- containers


def _items(value: Any, e: Encoder, tag: bytes) -> None:
    out, add = e.out, e.add
    out.append(tag)
    for item in value:
        add(item)
    out.append(b"]")


_list = partial(_items, tag=b"l[")
_tuple = partial(_items, tag=b"t[")


def _mapping(value: Any, e: Encoder) -> None:
    out, add = e.out, e.add
    out.append(b"m[")
    if all(type(key) is str for key in value):
        for key in sorted(value):
            _str(key, e)
            add(value[key])
    else:
        out.extend(b"".join(pair) for pair in sorted((e.apart(key), e.apart(value[key])) for key in value))
    out.append(b"]")


def _set(value: Any, e: Encoder, tag: bytes = b"S") -> None:
    e.out.append((tag if e.typed else b"S") + b"[")
    e.out.extend(sorted(map(e.apart, value)))
    e.out.append(b"]")


def _ordered(value: Any, e: Encoder) -> None:
    e.parts(b"o", "", value.items())


def _defaultdict(value: Any, e: Encoder) -> None:
    e.open(b"o", "default")
    e.add(value.default_factory)
    _mapping(value, e)
    e.close()


def _deque(value: Any, e: Encoder) -> None:
    e.parts(b"o", "deque", (value.maxlen, *value))


def _range(value: Any, e: Encoder) -> None:
    # Two ranges are equal if they hold the same numbers.
    e.parts(b"r", "", (value[0], value[-1], len(value)) if value else ())


def _slice(value: Any, e: Encoder) -> None:
    e.parts(b"r", "slice", (value.start, value.stop, value.step))


def _namespace(value: Any, e: Encoder) -> None:
    e.parts(b"o", "namespace", (vars(value),))


# ---------------------------------------------------------------------- objects


def _enum(value: Any, e: Encoder) -> None:
    # Combined flags have no name of their own in some versions of Python, and plain members a stable one.
    known = type(value).__members__.get(value.name) is value if value.name else False
    e.parts(b"E", name_of(type(value)), (value.name if known else value.value,))


def _dataclass(value: Any, e: Encoder) -> None:
    from dataclasses import fields  # noqa: PLC0415  (whoever made the class has imported it)

    e.open(b"D", name_of(type(value)))
    for field in fields(value):
        if field.compare:
            e.text(field.name)
            e.add(getattr(value, field.name))
    e.close()


def _attrs(value: Any, e: Encoder) -> None:
    e.open(b"D", name_of(type(value)))
    for attribute in type(value).__attrs_attrs__:
        if attribute.eq:
            e.text(attribute.name)
            e.add(getattr(value, attribute.name))
    e.close()


def _named_tuple(value: Any, e: Encoder) -> None:
    e.parts(b"D", name_of(type(value)), tuple(value))


def _subclass(value: Any, e: Encoder, base: Encode) -> None:
    """Encode an object of a class made from a built-in one: by class, content, and attributes."""
    e.open(b"D", name_of(type(value)))
    base(value, e)
    for name, attribute in sorted(getattr(value, "__dict__", {}).items()):
        e.text(name)
        e.add(attribute)
    e.close()


def _own_key(value: Any, e: Encoder) -> None:
    e.parts(b"D", name_of(type(value)), (value.__memo_key__(),))


def _by_key(value: Any, e: Encoder, to_key: Callable[[Any], Any]) -> None:
    e.parts(b"D", name_of(type(value)), (to_key(value),))


def _by_identity(value: Any, e: Encoder) -> None:
    e.by_identity(value)


#: How objects of exactly these classes are encoded.
ENCODERS: dict[type, Encode] = {
    type(None): _none,
    bool: encode_bool,
    int: encode_int,
    float: encode_float,
    complex: encode_complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    memoryview: _memoryview,
    list: _list,
    tuple: _tuple,
    dict: _mapping,
    set: partial(_set, tag=b"M"),
    frozenset: _set,
    range: _range,
    slice: _slice,
}
#: The same for classes of other modules, which are not imported for it: by module and name.
ELSEWHERE: dict[tuple[str, str], Encode] = {
    ("decimal", "Decimal"): encode_decimal,
    ("fractions", "Fraction"): encode_fraction,
    ("array", "array"): _array,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _defaultdict,
    ("collections", "deque"): _deque,
    ("types", "SimpleNamespace"): _namespace,
    ("builtins", "mappingproxy"): _mapping,
}
_found: WeakKeyDictionary[type, Encode] = WeakKeyDictionary()
_registered: dict[type, Encode] = {}


def register(cls: Any, to_key: Callable[[Any], Any]) -> None:
    """Tell what objects of a class are, for the keys of memoized functions.

    Parameters
    ----------
    cls
        The class; its subclasses are included.
    to_key
        Gives for an object something that can be keyed: all that a result may depend on.

    Raises
    ------
    InvalidArgumentError
        If the class is no class, or the function cannot be called.

    Examples
    --------
    >>> import holdall, holdall.memo
    >>> class Point:
    ...     def __init__(self, x): self.x = x
    >>> holdall.memo.register(Point, lambda point: point.x)
    >>> @holdall.memoize({})
    ... def double(point): return point.x * 2
    >>> double(Point(2)), double.cache_key(Point(2)) == double.cache_key(Point(2))
    (4, True)
    """
    if not isinstance(cls, type) or not callable(to_key):
        raise InvalidArgumentError(f"register takes a class and a function, got {cls!r:.80}, {to_key!r:.80}")
    _registered[cls] = partial(_by_key, to_key=to_key)
    _found.clear()


def encoder(cls: type) -> Encode:
    """Find how objects of a class are encoded."""
    try:
        return _found[cls]
    except KeyError:
        found = _found[cls] = _find(cls)
        return found


def _find(cls: type) -> Encode:
    for base in cls.__mro__:
        if base in _registered:
            return _registered[base]
    if hasattr(cls, "__memo_key__"):
        return _own_key
    if issubclass(cls, Enum):
        return _enum
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass
    if hasattr(cls, "__attrs_attrs__"):
        return _attrs
    from holdall.memo import _foreign  # noqa: PLC0415  (needs this module)

    found = _foreign.find(cls)
    if found is not None:
        return found
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple
    for base in cls.__mro__:
        known = ENCODERS[base] if base in ENCODERS else ELSEWHERE.get((base.__module__, base.__name__))
        if known is not None:
            return known if base is cls else partial(_subclass, base=known)
    return _by_identity
