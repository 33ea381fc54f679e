"""The wrapper that leaves out keys."""

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._value import FrozenCodec, named
from holdall.store import Pipeline, Store
from holdall.wrappers._base import wrapper

__all__ = ["Filter", "filt_iter"]


class Filter(FrozenCodec[Any]):
    """Keys as they are, but only some of them.

    Parameters
    ----------
    filt
        A predicate, a collection of keys, or None.
    regex, prefix, suffix
        Texts that text keys must contain, start with and end with; None for any.
    """

    renames = False
    #: The prefix of all keys; None if there is none.
    below: str | None
    _accepts: Callable[[Any], Any]

    def __init__(self, filt: Any, regex: Any, prefix: Any, suffix: Any) -> None:
        if isinstance(filt, str | bytes):
            raise InvalidArgumentError(
                f"filt is a predicate or a collection of keys, got {shown(filt)}: "
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
        raise InvalidKeyError(f"{shown(key)} is left out of this store by {shown(self, 200)}")

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
    """Copy a collection, so that it neither changes nor runs out."""
    if not isinstance(filt, Iterable):
        raise InvalidArgumentError(
            f"filt must be a predicate or a collection of keys, got {type(filt).__name__}"
        )
    keys = list(filt)
    try:
        return frozenset(keys)
    except TypeError:  # keys that are not hashable
        return keys


def _affix(option: Any, method: Callable[[str, Any], bool]) -> Callable[[Any], bool]:
    parts = option if isinstance(option, tuple) else (option,)
    if not all(isinstance(part, str) for part in parts):
        raise InvalidArgumentError(f"prefix and suffix are text, or tuples of it, got {shown(option)}")
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
        A predicate of keys, or a collection of those to keep: sets and mappings are looked up at each use,
        anything else is copied now.
    regex
        A pattern, as text or compiled, that text keys must contain somewhere.
    prefix, suffix
        The start or end of text keys; a tuple for one of several.

    Raises
    ------
    InvalidArgumentError
        If no option, or an invalid one, is given.
    InvalidKeyError
        When a key that is left out is read or written; it is a `KeyError`.

    Notes
    -----
    One rule for all verbs: what is left out is not listed, counted, found, read, written, deleted or cleared.
    With several options, keys must meet all of them. Cost: a call per key; a prefix that ends with "/" is
    passed on to the persister.

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
