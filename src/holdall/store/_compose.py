"""Composition of functions: of keys, of ids that may not be ours, and of values."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from holdall._shown import shown
from holdall.abc import NOT_MINE, KeyCodec, Unary
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.store.pipeline import Functions, Hooks, KeyValueFunction, Layer

__all__ = ["Composed", "ValueFunctions", "compose_layers", "composed", "decoding", "listing"]


def composed(functions: list[Unary]) -> Unary | None:
    """Return several functions as one, the first applied first; None for none."""
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
    """Return several decoders as one; the first that returns `NOT_MINE` ends it."""
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
            raise _no_key(id, error) from error
        return key

    return decode


def listing(functions: list[Unary], encode: Unary | None) -> Callable[[Iterable[Any]], list[Any]]:
    """Return a function from ids to keys, for user functions: only for ids that their keys lead back to.

    So listing, counting and finding agree whatever the functions are, and no key is listed twice. All ids of
    a page are decoded in one call, which saves a third of the time of a listing (``benchmarks/wrappers.py``).
    """

    def listed(ids: Iterable[Any]) -> list[Any]:
        keys = []
        for id in ids:
            key = id
            try:
                for function in functions:
                    key = function(key)
                    if key is NOT_MINE:
                        break
                else:
                    if (key if encode is None else _encoded(encode, key)) == id:
                        keys.append(key)
            except InvalidKeyError:
                raise
            except KeyError as error:
                raise _no_key(id, error) from error
        return keys

    return listed


def _encoded(encode: Unary, key: Any) -> Any:
    """Return the id of a key that was listed, or `NOT_MINE` if it has none."""
    try:
        return encode(key)
    except (InvalidKeyError, TypeError, AttributeError):
        return NOT_MINE
    except KeyError as error:
        raise InvalidArgumentError(
            f"the key {shown(key, 120)} was listed and cannot be named: KeyError: {error}; that does not "
            "mean that the key is absent: raise InvalidKeyError for keys that are not accepted",
        ) from error


def _no_key(id: Any, error: KeyError) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"no key can be made of {shown(id, 120)}: KeyError: {error}; answer NOT_MINE to leave it out",
    )


class ValueFunctions(NamedTuple):
    """Functions of values as one: of the value alone, or of key and value; None for none."""

    plain: Unary | None
    with_key: KeyValueFunction | None

    def apply(self, key: Any, value: Any) -> Any:
        """Return the value on the other side."""
        if self.plain is not None:
            return self.plain(value)
        return value if self.with_key is None else self.with_key(key, value)


def _values(steps: list[tuple[Any, Unary | None, bool]]) -> ValueFunctions:
    """Compose functions of values, in the order of application.

    Each comes with the function from the user's key to the key that it sees, and whether it sees a key at
    all.
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
