"""What makes the values of a class that its name does not lead to: its fields, members, code and bases.

Such a class was made by a function, redefined, or is of a module that is gone: another one may have its name.
"""

import functools
import threading
import types
from enum import Enum
from typing import Any

from holdall.memo._annotations import annotations_of
from holdall.memo._encoder import LARGE, Encode, Encoder, Unkeyable, found_by_name, is_found, name_of
from holdall.memo._version import digest_of, elided

__all__ = ["OF_MEMBERS", "WHEN_WHOLE", "describe", "when_whole"]

# What a class has beside its content: names, layout, and what other entries say.
_BESIDE = frozenset(
    {
        *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__slots__", "_abc_impl"),
        *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
        *("__firstlineno__", "__static_attributes__", "__classcell__", "__classdictcell__"),
    }
)
# What an enum finds its members by.
_OF_ENUMS = frozenset(
    {
        *("_member_names_", "_member_map_", "_value2member_map_", "_hashable_values_"),
        *("_unhashable_values_", "_unhashable_values_map_"),
    }
)
#: What the members of enums have beside their content.
OF_MEMBERS = frozenset({"_name_", "_value_", "__objclass__", "_sort_order_"})
_running = threading.local()


def describe(cls: type, found: bool) -> bytes:
    """Return a digest of what makes the values of a class; nothing if its name is enough.

    Parameters
    ----------
    cls
        The class.
    found
        Whether its name leads to it.

    Raises
    ------
    Unkeyable
        If something in it is of unknown content.
    """
    busy: list[tuple[type, ...]] = _running.__dict__.setdefault("classes", [])
    for place, others in enumerate(busy):
        if any(other is cls for other in others):
            elided()
            return b"^%d;" % place
    if found:
        return b""
    now = None if busy else found_by_name(cls)
    if isinstance(now, type) and _alike(cls, now, busy):
        return b""  # as in a notebook: the same code has run again
    return b"#" + _made(cls, busy, (cls,))


def _alike(one: type, other: type, busy: list[tuple[type, ...]]) -> bool:
    """Return whether two classes are made alike, where each means itself by either."""
    try:
        return _made(one, busy, (one, other)) == _made(other, busy, (one, other))
    except Unkeyable:
        return False


def _made(cls: type, busy: list[tuple[type, ...]], itself: tuple[type, ...]) -> bytes:
    e = Encoder(typed=True, whole=True)
    busy.append(itself)
    try:
        _content(cls, e)
    except Unkeyable as error:
        why = str(error)
        if len(busy) == 1:
            why = (
                f"{name_of(cls)} is not the class that its name leads to, and {error}; define it at the top "
                "of a module, or name the argument in identity="
            )
        raise Unkeyable(why) from None
    finally:
        busy.pop()
    return LARGE(b"".join(e.out)).digest()


def _content(cls: type, e: Encoder) -> None:
    e.named(type(cls))
    for ancestor in cls.__bases__:
        e.named(ancestor)
    e.attribute("annotations", annotations_of(cls))
    but = _BESIDE
    if issubclass(cls, Enum):
        _members(cls, e)
        but = _BESIDE.union(_OF_ENUMS, cls.__members__)
    for name, value in sorted(vars(cls).items()):
        if name in but:
            continue
        e.text(name)
        try:
            if (base := _copied_from(cls, name, value)) is None:
                _part(cls, value, e)
            else:
                e.begin(b"K", base)
                e.close()
        except Unkeyable as error:
            raise Unkeyable(f"its attribute {name!r} is not known: {error}") from None


def _copied_from(cls: type, name: str, value: Any) -> type | None:
    """Return the base whose method an enum has copied; None if it is its own."""
    if not callable(value):
        return None
    return next((base for base in cls.__mro__[1:] if vars(base).get(name) is value), None)


def _members(cls: type[Enum], e: Encoder) -> None:
    """Encode the members of an enum, in their order."""
    for name, member in cls.__members__.items():
        e.attribute(name, (member.name, member.value))
        e.attributes(member, cls, OF_MEMBERS)


def _part(cls: type, value: Any, e: Encoder) -> None:
    """Encode an attribute of a class."""
    kind = type(value)
    if isinstance(value, types.FunctionType):
        own = value.__qualname__.startswith(f"{cls.__qualname__}.")
        if is_found(value) and not own:
            e.add(value)  # a function of a module, which is a method too
            return
        e.open(b"F", name_of(value))
        e.text(digest_of(value, whole=True))
        for name, attribute in sorted(vars(value).items()):
            if name != "__wrapped__":  # followed as code
                e.attribute(name, attribute)
        e.close()
        return
    parts: tuple[Any, ...]
    if isinstance(value, staticmethod | classmethod):
        parts = (value.__func__,)
    elif isinstance(value, property | types.DynamicClassAttribute):
        parts = (value.fget, value.fset, value.fdel)
    elif isinstance(value, functools.cached_property):
        parts = (value.func,)
    elif isinstance(value, functools.partialmethod):
        parts = (value.func, value.args, value.keywords)
    elif hasattr(kind, "cache_info") and hasattr(value, "__wrapped__"):  # ours, lru_cache's
        parts = (value.__wrapped__,)
    elif isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType) or (
        kind.__name__ == "_tuplegetter"  # of a namedtuple, whose fields say the rest
    ):
        parts = ()
    else:
        try:
            data = e.apart(value)
        except Unkeyable:
            if not (callable(value) and hasattr(value, "__qualname__") and is_found(value)):
                raise
            e.text(name_of(value))
        else:
            e.out.append(data)
        return
    e.begin(b"K", kind)
    for part in parts:
        _part(cls, part, e)
    e.close()


# ---------------------------------------------------------------------- parts of classes


def when_whole(*names: str) -> Encode:
    """Return an encoder of some attributes, for objects that are known only as parts of classes."""

    def encode(value: Any, e: Encoder) -> None:
        if not e.whole:
            e.by_identity(value)
            return
        e.begin(b"K", type(value))
        for name in names:
            e.attribute(name, getattr(value, name, None))
        e.close()

    return encode


def _slots(value: Any, e: Encoder) -> None:
    when_whole(*type(value).__slots__)(value, e)


_generic = when_whole("_name", "__origin__", "__args__", "__metadata__")
_variable = when_whole(
    *("__name__", "__bound__", "__constraints__", "__covariant__", "__contravariant__", "__default__")
)
_forward = when_whole("__forward_arg__")
#: Encoders of what annotations and fields consist of, by package and name of the class.
WHEN_WHOLE: dict[str, dict[str, Encode]] = {
    "typing": {
        "_BaseGenericAlias": _generic,
        "_SpecialForm": when_whole("_name"),
        **dict.fromkeys(("TypeVar", "ParamSpec", "TypeVarTuple"), _variable),
        "ForwardRef": _forward,
        "NewType": when_whole("__module__", "__qualname__", "__supertype__"),
        "TypeAliasType": when_whole("__name__", "__value__", "__type_params__"),
    },
    "annotationlib": {"ForwardRef": _forward},
    "dataclasses": {
        "Field": when_whole(
            *("name", "type", "default", "default_factory", "init", "repr", "hash", "compare"),
            *("metadata", "kw_only", "_field_type"),
        ),
        "_FIELD_BASE": when_whole("name"),
        "_DataclassParams": when_whole(
            *("init", "repr", "eq", "order", "unsafe_hash", "frozen", "match_args", "kw_only", "slots"),
            "weakref_slot",
        ),
        "_MISSING_TYPE": when_whole(),
        "_HAS_DEFAULT_FACTORY_CLASS": when_whole(),
        "_KW_ONLY_TYPE": when_whole(),
        "InitVar": when_whole("type"),
    },
    "attr": {
        **dict.fromkeys(("Attribute", "ClassProps", "Converter", "Factory"), _slots),
        "_Nothing": when_whole(),
    },
}
