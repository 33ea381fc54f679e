"""What lies between the base of a store and its user: views, pure functions, hooks of later classes.

A store keeps its layers as a tuple, innermost first. Each is a `Transform`, a `KeyCodec` (the keys of a
view), or `Hooks`: those that its class had when it was wrapped, and those that subclasses of the wrapped
class or the instance gave it since. `_bind` composes all of them into a few functions; nothing is nested.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from holdall.abc import NOT_MINE, KeyCodec, Unary
from holdall.errors import InvalidArgumentError, InvalidKeyError

__all__ = [
    "HOOKS",
    "NO_HOOKS",
    "Functions",
    "Hooks",
    "Keyed",
    "Layer",
    "Transform",
    "as_it_is",
    "compose_layers",
    "composed",
    "decoding",
    "find_hook",
    "levels_of",
    "listing",
    "pass_on",
]

HOOKS = ("_id_of_key", "_key_of_id", "_data_of_obj", "_obj_of_data")
#: The level of a store whose hooks are those of the store below it.
NO_HOOKS = -1

Keyed: TypeAlias = Callable[[Any, Any], Any]


class Hooks(NamedTuple):
    """The hooks of one level.

    Parameters
    ----------
    level
        0 for what the class itself inherits, the number of a wrapped class for what came after it, and
        `NO_HOOKS` for none of any class.
    own
        Functions that the instance was given, by the name of the hook; those of the last level are its
        attributes.
    """

    level: int
    own: dict[str, Any]


class Transform(NamedTuple):
    """Pure functions around a store; None leaves things as they are.

    Parameters
    ----------
    id_of_key, key_of_id
        From the key that the user gives to the one below, and back.
    data_of_obj, obj_of_data
        From the value that the user gives to the one below, and back.
    preset, postget
        The same for values, with the user's key as first argument: `preset` before `data_of_obj`,
        `postget` after `obj_of_data`.
    """

    id_of_key: Unary | None = None
    key_of_id: Unary | None = None
    data_of_obj: Unary | None = None
    obj_of_data: Unary | None = None
    preset: Keyed | None = None
    postget: Keyed | None = None

    def prove(self, key: Any) -> None:
        """Raise `InvalidArgumentError` if an item written under a key would be listed under another one."""
        if self.id_of_key is None or self.key_of_id is None:
            return
        id = self.id_of_key(key)
        try:
            back = self.key_of_id(id)
            # Another spelling of the key is no loss: "a" for ("a",), say.
            found = back is not NOT_MINE and (back == key or self.id_of_key(back) == id)
        except Exception as error:
            self._not_inverse(key, id, f"fails with {type(error).__name__}: {error}", error)
        if not found:
            self._not_inverse(key, id, "refuses" if back is NOT_MINE else f"turns into {back!r:.120}", None)

    def _not_inverse(self, key: Any, id: Any, what: str, error: Exception | None) -> None:
        raise InvalidArgumentError(
            f"id_of_key {named(self.id_of_key)} names {key!r:.120} {id!r:.120}, which key_of_id "
            f"{named(self.key_of_id)} {what}: nothing was written, since the item would be lost; "
            "make the two functions each other's inverse",
        ) from error


#: One layer of a store.
Layer: TypeAlias = Transform | KeyCodec[Any] | Hooks


def named(function: Any) -> str:
    """Give the name of a function for messages."""
    return str(getattr(function, "__qualname__", None) or repr(function))


def pass_on(self: Any, thing: Any) -> Any:
    """Take the place of a hook in a wrapped class: what is below has been done already."""
    del self
    return thing


def as_it_is(thing: Any) -> Any:
    """Take the place of a hook in a wrapped instance."""
    return thing


def levels_of(cls: type) -> tuple[type, ...]:
    """Give the classes in which the hooks of each level are looked up: what was wrapped, then the class."""
    return (*(vars(c)["_wraps"] for c in reversed(cls.__mro__) if "_wraps" in vars(c)), cls)


def find_hook(store: Any, base: type, name: str, hooks: Hooks) -> Unary | None:
    """Give a hook that was overridden at a level, by a class or on the instance.

    Parameters
    ----------
    store
        The store.
    base
        The class whose own hooks are the defaults.
    name
        The name of the hook.
    hooks
        The level.
    """
    own: Unary | None = hooks.own.get(name)
    if own is not None:
        return None if own is as_it_is else own
    if hooks.level == NO_HOOKS:
        return None
    for cls in levels_of(type(store))[hooks.level].__mro__:
        if name in vars(cls):
            found = vars(cls)[name]
            if cls is base or found is pass_on:
                return None
            return found.__get__(store, type(store))  # type: ignore[no-any-return]
    return None


# ---------------------------------------------------------------------- composition


def composed(functions: list[Unary]) -> Unary | None:
    """Give one function for several, the first applied first."""
    if not functions:
        return None
    if len(functions) == 1:
        return functions[0]
    if len(functions) == 2:
        first, second = functions
        return lambda thing: second(first(thing))
    first, second, third, *more = functions

    def three(thing: Any) -> Any:
        return third(second(first(thing)))

    return composed([three, *more]) if more else three


def decoding(functions: list[Unary]) -> Unary | None:
    """Give one decoder for several; the first that answers `NOT_MINE` has the last word."""
    if not functions:
        return None

    def decode(id: Any) -> Any:
        key = id
        try:
            for function in functions:
                key = function(key)
                if key is NOT_MINE:
                    return NOT_MINE
        except InvalidKeyError:
            raise
        except KeyError as error:
            raise InvalidArgumentError(
                f"no key can be made of {id!r:.120}: KeyError: {error}; answer NOT_MINE to leave it out",
            ) from error
        return key

    return decode


def listing(functions: list[Unary], encode: Unary | None) -> Unary:
    """Give one decoder for functions that a user gave: it answers only ids to which their keys lead back.

    So listing, counting and finding agree whatever the functions are, and no key is listed twice.
    """
    decode = decoding(functions)

    def listed(id: Any) -> Any:
        key = id if decode is None else decode(id)
        if key is NOT_MINE:
            return NOT_MINE
        try:
            again = key if encode is None else encode(key)
        except (InvalidKeyError, TypeError, AttributeError):  # no key, as `in` and [] say too
            return NOT_MINE
        except KeyError as error:
            raise InvalidArgumentError(
                f"the key {key!r:.120}, made of {id!r:.120}, cannot be named: KeyError: {error}; that does "
                "not mean that the key is absent: raise InvalidKeyError for keys that are not accepted",
            ) from error
        return key if again == id else NOT_MINE

    return listed


class Values(NamedTuple):
    """The composed functions of values outside the base: of one argument, or of key and value."""

    plain: Unary | None
    keyed: Keyed | None

    def apply(self, key: Any, value: Any) -> Any:
        """Give the value on the other side."""
        if self.plain is not None:
            return self.plain(value)
        return value if self.keyed is None else self.keyed(key, value)


def values(steps: list[tuple[Any, Unary | None, bool]]) -> Values:
    """Compose functions of values.

    Parameters
    ----------
    steps
        In the order of application: the function, what makes the key that it sees out of the user's
        key, and whether it sees a key at all.
    """
    if not any(keyed for _, _, keyed in steps):
        return Values(composed([function for function, _, _ in steps]), None)

    def apply(key: Any, value: Any) -> Any:
        for function, to_key, keyed in steps:
            value = function(_seen(key, to_key), value) if keyed else function(value)
        return value

    return Values(None, apply)


def _seen(key: Any, to_key: Unary | None) -> Any:
    return key if to_key is None else to_key(key)


class Functions(NamedTuple):
    """All layers above the base, composed."""

    encoders: list[Unary]
    decoders: list[Unary]
    renames: bool  # whether a user's `id_of_key` is among them
    inward: Values
    outward: Values
    proofs: list[tuple[Transform, Unary | None]]


def compose_layers(given: Sequence[Layer], hooks_of: Callable[[Hooks], Transform]) -> Functions:
    """Compose the layers above the base of a store.

    Parameters
    ----------
    given
        The layers, innermost first.
    hooks_of
        Gives the hooks of a level.
    """
    layers = [
        Transform(layer.encode, layer.decode)
        if isinstance(layer, KeyCodec)
        else hooks_of(layer)
        if isinstance(layer, Hooks)
        else layer
        for layer in given
    ]
    encoders: list[Unary] = []  # in the order of application: outermost first
    decoders = [layer.key_of_id for layer in layers if layer.key_of_id]
    inward: list[Any] = []
    outward: list[Any] = []
    proofs = []
    for layer in reversed(layers):
        to_key = composed(list(encoders))
        if layer.preset:
            inward.append((layer.preset, to_key, True))
        if layer.data_of_obj:
            inward.append((layer.data_of_obj, None, False))
        if layer.postget:
            outward.append((layer.postget, to_key, True))
        if layer.obj_of_data:
            outward.append((layer.obj_of_data, None, False))
        if layer.id_of_key:
            encoders.append(layer.id_of_key)
            if layer.key_of_id and any(layer is one for one in given):
                proofs.append((layer, to_key))
    renames = any(
        layer.id_of_key is not None
        for layer, one in zip(layers, given, strict=True)
        if not isinstance(one, KeyCodec)
    )
    return Functions(encoders, decoders, renames, values(inward), values(outward[::-1]), proofs)
