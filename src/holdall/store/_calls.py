# ruff: noqa: SLF001  (the other half of one class)
"""What a store calls for ``[]``, ``in`` and ``[] =``: functions with nothing in them that is not needed."""

from collections.abc import Callable
from typing import Any

from holdall.abc import Unary
from holdall.conditional import Joker, Sentinel
from holdall.errors import InvalidKeyError

__all__ = ["COMMANDS", "UNNAMED", "checker", "find_and_finish", "getter", "missing", "setter"]

#: The types of what is no value.
COMMANDS = frozenset({Joker, Sentinel})
#: What a function of keys raises for a key that it cannot take, or for a fault of its own.
UNNAMED = (KeyError, TypeError, AttributeError)


def missing(key: Any, error: KeyError) -> KeyError:
    """Give the error for a key that the place does not have, or cannot have."""
    return error if isinstance(error, InvalidKeyError) else KeyError(key)


def getter(store: Any) -> Unary:
    """Give the function that reads a value.

    Parameters
    ----------
    store
        The store; its composed functions are there already.
    """
    encode, load = store._encode, store._load
    plain, keyed = store._outward
    if store._limit is not None:
        base = _streaming(store)
        return base if plain is keyed is None else _finishing(store, base)
    if keyed is not None:
        return _finishing(store, _named(store, load, None))
    if encode is None and (load is None or plain is None):
        return _direct(store, load or plain)
    return _named(store, load, plain)


def find_and_finish(store: Any) -> tuple[Unary, Unary | None]:
    """Give what finds the data of a key, and what makes the value of them; the value at once, and None.

    Parameters
    ----------
    store
        The store; `getter` has been there.
    """
    load, (plain, keyed) = store._load, store._outward
    if keyed is not None or (load is not None and plain is not None) or store._limit is not None:
        return store._get, None
    look = store._persister.getter if store._encode is None else _named(store, None, None)
    return look, load or plain


def _direct(store: Any, load: Unary | None) -> Unary:
    """Read by keys that are ids, with one function or none."""
    look_up, absent, failed = store._persister.getter, store._absent, store._load_failed

    def get_plain(key: Any) -> Any:
        try:
            return look_up(key)
        except KeyError as error:
            raise missing(key, error) from None
        except TypeError as error:
            absent(key, error)

    def get_loaded(key: Any) -> Any:
        try:
            data = look_up(key)
        except KeyError as error:
            raise missing(key, error) from None
        except TypeError as error:
            absent(key, error)
        try:
            return load(data)  # type: ignore[misc]
        except Exception as error:
            failed(error, key, own=own)

    own = store._own_errors[1] or store._keeps_objects
    if load is not None:
        return get_loaded
    # Nothing stands between us and a dict: its own KeyError has the right key.
    return look_up if type(getattr(store._persister, "mapping", None)) is dict else get_plain


def _named(store: Any, load: Unary | None, finish: Unary | None) -> Unary:
    """Read by keys that have other ids."""
    encode, look_up = store._encode or _identity, store._persister.getter
    absent, failed, unnamed = store._absent, store._load_failed, store._key_failed

    def get(key: Any) -> Any:
        try:
            id = encode(key)
        except UNNAMED as error:
            unnamed(error, key)
        try:
            data = look_up(id)
        except KeyError as error:
            raise missing(key, error) from None
        except TypeError as error:
            absent(id, error)
        if load is not None:
            try:
                data = load(data)
            except Exception as error:
                failed(error, key)
        if finish is None:
            return data
        try:
            return finish(data)
        except KeyError as error:
            failed(error, key, own=True)

    return get


def _streaming(store: Any) -> Unary:
    """Read small data whole and large data from the open file, without a copy between."""
    encode, fetch, loads, limit = (
        store._encode or _identity,
        store._persister.fetch,
        store._load,
        store._limit,
    )
    failed, unnamed, loaded_file = store._load_failed, store._key_failed, store._loaded_file

    def get(key: Any) -> Any:
        try:
            id = encode(key)
        except UNNAMED as error:
            unnamed(error, key)
        try:
            data = fetch(id, limit)
        except KeyError as error:
            raise missing(key, error) from None
        if type(data) is not bytes and hasattr(data, "readinto"):
            return loaded_file(key, data)
        try:
            return loads(data)
        except Exception as error:
            failed(error, key)

    return get


def _finishing(store: Any, read: Unary) -> Unary:
    """Read, and apply the functions above the base."""
    apply, failed = store._outward.apply, store._load_failed

    def get(key: Any) -> Any:
        value = read(key)
        try:
            return apply(key, value)
        except KeyError as error:
            failed(error, key, own=True)

    return get


def checker(store: Any) -> Callable[[Any], bool]:
    """Give the function that tells whether a key is there."""
    encode, persister, unnamed = store._encode, store._persister, store._key_failed

    def has(key: Any) -> bool:
        try:
            id = encode(key)
        except UNNAMED as error:
            try:
                unnamed(error, key)
            except InvalidKeyError:
                return False
        return id in persister

    return persister.__contains__ if encode is None else has


def setter(store: Any) -> Callable[[Any, Any], None]:
    """Give the function that stores a value."""
    encode, dump, put, wanted = (
        store._encode or _identity,
        store._dump,
        store._persister.put,
        store._value_type,
    )
    command, refuse, failed, absent = store._command, store._refuse_value, store._dump_failed, store._absent
    unnamed = store._key_failed
    inside = None if store._inward.plain is store._inward.keyed is None else store._inside

    def set(key: Any, value: Any) -> None:
        if type(value) in COMMANDS:
            command(key, value)
            return
        try:
            id = encode(key)
        except UNNAMED as error:
            unnamed(error, key)
        if inside is not None:
            value = inside(key, value)
        if wanted is not None and not isinstance(value, wanted):
            refuse(key, value)
        if dump is not None:
            try:
                data = dump(value)
            except Exception as error:
                failed(error, key)
        else:
            data = value
        try:
            put(id, data)
        except TypeError as error:
            absent(id, error)

    def set_first(key: Any, value: Any) -> None:
        if type(value) not in COMMANDS:
            store._prove(key)
            store._set = set
        set(key, value)

    return set_first if store._proofs else set


def _identity(thing: Any) -> Any:
    return thing
