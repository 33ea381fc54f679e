"""Wrappers that pass keys and values through pure functions; these are composed, and nothing is nested."""

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from holdall.abc import NOT_MINE, Unary
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys import as_key_codec
from holdall.keys._value import Value, named, shown
from holdall.store import Store
from holdall.store.pipeline import Functions, KeyValueFunction, Pipeline
from holdall.wrappers._base import wrapper
from holdall.wrappers._typing import WrapKvs

__all__ = ["filt_iter", "wrap_keys", "wrap_kvs"]


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
    """Pass keys and values through functions; any of them may be given alone.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    id_of_key
        Makes the key below of the user's key. It may take several spellings of one key.
    key_of_id
        Makes the user's key of the key below, or gives `NOT_MINE` to leave it out of the listing.
    data_of_obj
        Makes what is stored of a value.
    obj_of_data
        Makes a value of what is stored.
    preset
        As `data_of_obj`, and before it, but called with the user's key and the value.
    postget
        As `obj_of_data`, and after it, but called with the user's key and the value.

    Raises
    ------
    InvalidArgumentError
        If something else than a function is given; at the first write of a handle, if `id_of_key` and
        `key_of_id` are not each other's inverse, so that the item would be lost.

    Notes
    -----
    What a function raises reaches the caller as it is, and nothing is written. But `KeyError` always means
    that an item is absent, so that of a function becomes `CorruptValueError` (reading), `SerializationError`
    (writing) or `InvalidArgumentError` (keys). `TypeError` and `AttributeError` of `id_of_key` mean a key
    that it does not take: `InvalidKeyError`, and ``in`` is False. To refuse keys, raise `InvalidKeyError`.

    Listed is what can be found: a key below to which its key here leads back. With ``id_of_key=str.lower``
    alone these are the keys in small letters, and none is listed twice. Cost: a call of `id_of_key` a listed
    key. A `key_of_id` alone only changes what is listed, and nothing is found by what it gives.

    Stores pickle if their functions do. Cost: a call a function; stacked wrappers compose their functions.

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
        If no codec can be made of `keys`.

    Examples
    --------
    >>> from holdall import Prefix
    >>> from holdall.wrappers import wrap_keys
    >>> inner = {"other": 0}
    >>> runs = wrap_keys(inner, keys=Prefix("run-"))
    >>> runs["7"] = 1
    >>> list(runs), inner
    (['7'], {'other': 0, 'run-7': 1})
    """
    return store.pipeline.add(as_key_codec(keys))


class Filter(Value[Any]):
    """Keys as they are, but only some of them.

    Parameters
    ----------
    filt
        A predicate, a collection of keys, or None.
    regex, prefix, suffix
        What text keys must contain, start with and end with; None for anything.
    """

    renames = False
    #: The prefix below which all keys lie; None if there is none.
    below: str | None
    _accepts: Callable[[Any], Any]

    def __init__(self, filt: Any, regex: Any, prefix: Any, suffix: Any) -> None:
        if isinstance(filt, str | bytes):
            raise InvalidArgumentError(
                f"filt is a predicate or a collection of keys, got {filt!r:.80}: "
                "for text use regex=, prefix= or suffix="
            )
        if filt is not None and not callable(filt) and not isinstance(filt, Mapping | AbstractSet):
            filt = _collected(filt)
        tests = [] if filt is None else [filt if callable(filt) else filt.__contains__]
        if regex is not None:
            tests.append(re.compile(regex).search)
        for option, method in ((prefix, str.startswith), (suffix, str.endswith)):
            if option is not None:
                tests.append(_affix(option, method))
        if not tests:
            raise InvalidArgumentError(
                "filt_iter needs filt=, regex=, prefix= or suffix=: it leaves nothing out"
            )
        accepts = tests[0] if len(tests) == 1 else lambda key: all(test(key) for test in tests)
        below = prefix[:-1] if isinstance(prefix, str) and prefix.endswith("/") else None
        self._freeze(filt, regex, prefix, suffix, below=below, _accepts=accepts)

    def encode(self, key: Any) -> Any:  # docstring inherited
        if self._accepts(key):
            return key
        raise InvalidKeyError(f"{shown(key)} is left out of this store by {self!r:.200}")

    def decode(self, id: Any) -> Any:  # docstring inherited
        return id if self._accepts(id) else NOT_MINE

    def __repr__(self) -> str:
        options = zip(("filt", "regex", "prefix", "suffix"), self._args, strict=True)
        given = (
            f"{name}={named(value) if callable(value) else shown(value)}"
            for name, value in options
            if value is not None
        )
        return f"filt_iter({', '.join(given)})"


def _collected(filt: Any) -> Any:
    """Take over a collection, so that it neither changes nor runs out."""
    if not isinstance(filt, Iterable):
        raise InvalidArgumentError(
            f"filt must be a predicate or a collection of keys, got {type(filt).__name__}"
        )
    keys = list(filt)
    try:
        return frozenset(keys)
    except TypeError:  # keys that a set cannot have
        return keys


def _affix(option: Any, method: Callable[[str, Any], bool]) -> Callable[[Any], bool]:
    parts = option if isinstance(option, tuple) else (option,)
    if not all(isinstance(part, str) for part in parts):
        raise InvalidArgumentError(f"prefix and suffix are text, or tuples of it, got {option!r:.80}")
    return lambda key: isinstance(key, str) and method(key, option)


@wrapper
def filt_iter(
    store: Store[Any, Any],
    *,
    filt: Any = None,
    regex: Any = None,
    prefix: Any = None,
    suffix: Any = None,
) -> Pipeline:
    """Leave out all keys but those that pass.

    Parameters
    ----------
    store
        A store, a store class, or any mapping.
    filt
        A predicate of keys, or a collection of those to keep: sets and mappings are asked as they are then,
        anything else is taken over now.
    regex
        A pattern, as text or compiled, that text keys must contain somewhere.
    prefix, suffix
        What text keys must start or end with; a tuple for one of several.

    Raises
    ------
    InvalidArgumentError
        If no option, or one of another kind, is given.
    InvalidKeyError
        When a key that is left out is read or written; it is a `KeyError`.

    Notes
    -----
    One rule for all verbs: what is left out is not listed, counted, found, read, written, deleted or cleared.
    Several options must all hold. Cost: a call a key; a prefix that ends with "/" is passed on to the place.

    Examples
    --------
    >>> from holdall.wrappers import filt_iter
    >>> files = filt_iter({"a.py": 1, "b.txt": 2}, suffix=".py")
    >>> list(files), len(files), "b.txt" in files, files.get("b.txt")
    (['a.py'], 1, False, None)
    >>> few = filt_iter({"a": 1, "b": 2, "c": 3}, filt={"a", "c"})
    >>> dict(few)
    {'a': 1, 'c': 3}
    """
    return store.pipeline.add(Filter(filt, regex, prefix, suffix))
