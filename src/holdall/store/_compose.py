"""One function for several: of keys, of ids that may not be ours, and of values."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from holdall.abc import NOT_MINE, KeyCodec, Unary
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.store.pipeline import Functions, Hooks, KeyValueFunction, Layer

__all__ = ["Composed", "ValueFunctions", "compose_layers", "composed", "decoding", "listing"]


def composed(functions: list[Unary]) -> Unary | None:
    """Return one function for several, the first applied first; None for none."""
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
    """Return one decoder for several; the first that answers `NOT_MINE` has the last word."""
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
    """Return one decoder for functions that a user gave: it answers only ids to which their keys lead back.

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


class ValueFunctions(NamedTuple):
    """Functions of values as one: of the value alone, or of key and value; None where there are none."""

    plain: Unary | None
    with_key: KeyValueFunction | None

    def apply(self, key: Any, value: Any) -> Any:
        """Return the value on the other side."""
        if self.plain is not None:
            return self.plain(value)
        return value if self.with_key is None else self.with_key(key, value)


def _values(steps: list[tuple[Any, Unary | None, bool]]) -> ValueFunctions:
    """Compose functions of values, given in the order of application.

    Each comes with what makes the key that it sees of the user's key, and whether it sees a key at all.
    """
    if not any(with_key for _, _, with_key in steps):
        return ValueFunctions(composed([function for function, _, _ in steps]), None)

    def apply(key: Any, value: Any) -> Any:
        for function, to_key, with_key in steps:
            seen = (key if to_key is None else to_key(key),) if with_key else ()
            value = function(*seen, value)
        return value

    return ValueFunctions(None, apply)


class Composed(NamedTuple):
    """All layers above the base, composed."""

    encoders: list[Unary]
    decoders: list[Unary]
    renames: bool  # whether a user's `id_of_key` is among them
    inward: ValueFunctions
    outward: ValueFunctions
    pairs: list[tuple[Functions, Unary | None]]  # to be checked at the first write


def compose_layers(given: Sequence[Layer], functions_of: Callable[[Hooks], Functions]) -> Composed:
    """Compose the layers above the base of a store, given innermost first."""
    layers = [
        Functions(layer.encode, layer.decode)
        if isinstance(layer, KeyCodec)
        else functions_of(layer)
        if isinstance(layer, Hooks)
        else layer
        for layer in given
    ]
    encoders: list[Unary] = []  # in the order of application: outermost first
    decoders = [layer.key_of_id for layer in layers if layer.key_of_id]
    inward: list[Any] = []
    outward: list[Any] = []
    pairs = []
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
                pairs.append((layer, to_key))
    renames = any(
        layer.id_of_key is not None
        for layer, one in zip(layers, given, strict=True)
        if not isinstance(one, KeyCodec)
    )
    return Composed(encoders, decoders, renames, _values(inward), _values(outward[::-1]), pairs)
