"""Values as bytes: equal values have equal bytes, in every process and on every machine.

Every piece begins with a tag and contains its own length, so that different sequences of values have
different bytes. Where numbers are not separated by type, those that are equal in Python have the same bytes.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.memo._encoder import ENCODERS, Encode, Encoder, Unkeyable, name_of
from holdall.memo._making import OF_MEMBERS, describe
from holdall.memo._numbers import (
    encode_bool,
    encode_complex,
    encode_decimal,
    encode_float,
    encode_fraction,
    encode_int,
)

__all__ = ["encoder", "register"]


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
    if e.exact:
        _items([part for pair in value.items() for part in pair], e, b"d[")
        return
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
    if e.exact:
        e.parts(b"r", "exact", (value.start, value.stop, value.step))
    else:  # two ranges are equal if they contain the same numbers
        e.parts(b"r", "", (value[0], value[-1], len(value)) if value else ())


def _slice(value: Any, e: Encoder) -> None:
    e.parts(b"r", "slice", (value.start, value.stop, value.step))


def _namespace(value: Any, e: Encoder) -> None:
    e.parts(b"o", "namespace", (vars(value),))


def _picker(value: Any, e: Encoder) -> None:
    e.parts(b"o", "operator", value.__reduce__())


# ---------------------------------------------------------------------- objects


def _enum(value: Any, e: Encoder) -> None:
    # Combined flags have no name in some versions of Python; plain members have a stable one.
    cls = type(value)
    known = cls.__members__.get(value.name) is value if value.name else False
    e.begin(b"E", cls)
    if known:
        e.add(value.name)
        try:
            e.out.append(e.apart(value.value))  # an enum of that name may have another one elsewhere
        except Unkeyable:
            pass  # its name is enough here
    else:
        e.add(value.value)
    if e.exact:
        e.attributes(value, cls, OF_MEMBERS)
    e.close()


def _dataclass(value: Any, e: Encoder) -> None:
    from dataclasses import fields  # noqa: PLC0415  (imported already by the class)

    e.begin(b"D", type(value))
    for field in fields(value):
        if field.compare or e.exact:
            e.attribute(field.name, getattr(value, field.name))
    e.attributes(value, object, {field.name for field in fields(value)})
    e.close()


def _attrs(value: Any, e: Encoder) -> None:
    e.begin(b"D", type(value))
    for attribute in type(value).__attrs_attrs__:
        if attribute.eq or e.exact:
            e.attribute(attribute.name, getattr(value, attribute.name))
    names = {attribute.name for attribute in type(value).__attrs_attrs__}
    e.attributes(value, object, names | {"_attrs_cached_hash"})
    e.close()


def _named_tuple(value: Any, e: Encoder) -> None:
    e.begin(b"D", type(value))
    for item in value:
        e.add(item)
    e.attributes(value, tuple)
    e.close()


def _subclass(value: Any, e: Encoder, base: Encode, known: type) -> None:
    """Encode an object of a class derived from a known one: by class, content, and attributes."""
    e.begin(b"D", type(value))
    base(value, e)
    e.attributes(value, known)
    e.close()


def _own_key(value: Any, e: Encoder) -> None:
    e.parts(b"D", name_of(type(value)), (value.__memo_key__(),))


def _by_key(value: Any, e: Encoder, to_key: Callable[[Any], Any]) -> None:
    e.parts(b"D", name_of(type(value)), (to_key(value),))


def _by_identity(value: Any, e: Encoder) -> None:
    e.by_identity(value)


ENCODERS.update(
    {
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
)
#: The same for classes of other modules, which are not imported for it: by module and name.
ELSEWHERE: dict[tuple[str, str], Encode] = {
    ("decimal", "Decimal"): encode_decimal,
    ("fractions", "Fraction"): encode_fraction,
    ("array", "array"): _array,
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _defaultdict,
    ("collections", "deque"): _deque,
    ("types", "SimpleNamespace"): _namespace,
    ("operator", "itemgetter"): _picker,
    ("operator", "attrgetter"): _picker,
    ("operator", "methodcaller"): _picker,
    ("builtins", "mappingproxy"): _mapping,
}
_found: WeakKeyDictionary[type, Encode] = WeakKeyDictionary()
_registered: dict[type, Encode] = {}


def register(cls: Any, to_key: Callable[[Any], Any]) -> None:
    """Register what identifies objects of a class, for the keys of memoized functions.

    Parameters
    ----------
    cls
        The class; its subclasses are included.
    to_key
        Returns, for an object, something that has a key: all that a result may depend on.

    Raises
    ------
    InvalidArgumentError
        If the class is not a class, or the function cannot be called.

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
        raise InvalidArgumentError(
            f"register takes a class and a function, got {shown(cls)}, {shown(to_key)}"
        )
    _registered[cls] = partial(_by_key, to_key=to_key)
    _found.clear()


def encoder(cls: type) -> Encode:
    """Return the encoder for objects of a class."""
    try:
        return _found[cls]
    except KeyError:
        found = _found[cls] = _find(cls)
        return found


Encoder.find = staticmethod(encoder)
Encoder.describe = staticmethod(describe)


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
        base, encode = found
        return encode if base is cls else partial(_subclass, base=encode, known=base)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple
    for base in cls.__mro__:
        known = ENCODERS[base] if base in ENCODERS else ELSEWHERE.get((base.__module__, base.__name__))
        if known is not None:
            return known if base is cls else partial(_subclass, base=known, known=base)
    return _by_identity
