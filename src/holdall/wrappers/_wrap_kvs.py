"""Wrappers that pass keys and values through functions; the functions are composed, not nested."""

from typing import Any

from holdall.abc import Unary
from holdall.errors import InvalidArgumentError
from holdall.keys import as_key_codec
from holdall.store import Store
from holdall.store.pipeline import Functions, KeyValueFunction, Pipeline
from holdall.wrappers._base import wrapper
from holdall.wrappers._typing import WrapKvs

__all__ = ["wrap_keys", "wrap_kvs"]


@WrapKvs
def wrap_kvs(
    store: Store[Any, Any],
    *,
    id_of_key: Unary | None = None,
    key_of_id: Unary | None = None,
    data_of_obj: Unary | None = None,
    obj_of_data: Unary | None = None,
    preset: KeyValueFunction | None = None,
    postget: KeyValueFunction | None = None,
) -> Pipeline:
    """Pass keys and values through functions, any of which may be omitted.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    id_of_key
        From the user's key to the key below. It may accept several spellings of one key.
    key_of_id
        From the key below to the user's key, or to `NOT_MINE` to leave it out of the listing.
    data_of_obj
        From a value to what is stored.
    obj_of_data
        From what is stored to a value.
    preset
        As `data_of_obj`, and before it, but called with the user's key and the value.
    postget
        As `obj_of_data`, and after it, but called with the user's key and the value.

    Raises
    ------
    InvalidArgumentError
        If an argument is not a function; at the first write of a handle, if `id_of_key` and `key_of_id` are
        not each other's inverse, so that the item would be lost.

    Notes
    -----
    Exceptions of a function reach the caller unchanged, and nothing is written. But `KeyError` always means
    that an item is absent, so a function's `KeyError` becomes `CorruptValueError` (reading),
    `SerializationError` (writing) or `InvalidArgumentError` (keys). `TypeError` and `AttributeError` of
    `id_of_key` mean a key that it does not accept: `InvalidKeyError`, and ``in`` is False. To refuse keys,
    raise `InvalidKeyError`.

    Only keys that can be found are listed: a key below is listed if its key here leads back to it. With
    ``id_of_key=str.lower`` alone these are the lower-case keys, and none is listed twice. Cost: a call of
    `id_of_key` per listed key. A `key_of_id` alone only changes what is listed; the keys that it returns are
    not found.

    Stores can be pickled if their functions can. Cost: one call per function; stacked wrappers compose their
    functions.

    Examples
    --------
    >>> from holdall.wrappers import wrap_kvs
    >>> inner = {}
    >>> numbers = wrap_kvs(inner, id_of_key=str, key_of_id=int, data_of_obj=str, obj_of_data=float)
    >>> numbers[7] = 2.5
    >>> numbers[7], list(numbers), inner
    (2.5, [7], {'7': '2.5'})
    """
    functions = Functions(id_of_key, key_of_id, data_of_obj, obj_of_data, preset, postget)
    for name, function in functions._asdict().items():
        if function is not None and not callable(function):
            raise InvalidArgumentError(f"{name} must be a function, got {type(function).__name__}")
    return store.pipeline.add(functions)


@wrapper
def wrap_keys(store: Store[Any, Any], *, keys: Any) -> Pipeline:
    """Name the keys of a store by a key codec: with a prefix, a suffix, as paths or literals.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    keys
        A `KeyCodec`, an object with ``encode`` and ``decode``, or a pair of such functions. Keys of the store
        that the codec did not make are left out.

    Raises
    ------
    InvalidArgumentError
        If `keys` does not describe a codec.

    Examples
    --------
    >>> from holdall.keys import Prefix
    >>> from holdall.wrappers import wrap_keys
    >>> inner = {"other": 0}
    >>> runs = wrap_keys(inner, keys=Prefix("run-"))
    >>> runs["7"] = 1
    >>> list(runs), inner
    (['7'], {'other': 0, 'run-7': 1})
    """
    return store.pipeline.add(as_key_codec(keys))
