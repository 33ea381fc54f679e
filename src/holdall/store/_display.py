"""How a store displays itself: in bounded length, and in notebooks in bounded time."""

import itertools
import os
import reprlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from holdall._shown import PATH, shown
from holdall.abc import NOT_MINE
from holdall.errors import HoldallError
from holdall.store._base import StoreBase

if TYPE_CHECKING:
    from holdall.store._overview import Overview

K = TypeVar("K")
V = TypeVar("V")

_SIMPLE = (bool, int, float, str)
_COMPLETIONS, _SECONDS = 1000, 0.1
_FOREIGN = 10  # ids per wanted key: some may not be ours, or not of this view


class StoreDisplay(StoreBase[K, V]):
    """The part of `Store` for display."""

    def get_params(self) -> dict[str, Any]:
        """Return the options of this store, by name, as they were given: those that make it again.

        Returns
        -------
        dict
            Sorted by name. ``changes`` has the steps by which a wrapped store, or a part of one, was made
            from the whole: functions of a store, the first one first.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> from holdall.wrappers import read_only
        >>> part = read_only(MemoryStore({"a/b": 1}).get_subdict("a"))
        >>> again = MemoryStore.from_params(part.get_params())
        >>> again
        read_only(MemoryStore(mapping={'a/b': 1}).get_subdict('a'))
        >>> dict(again)
        {'b': 1}
        """
        return dict(sorted(self._params.items()))

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return a store with the options that `get_params` returned.

        Parameters
        ----------
        params
            The options of a store of this class.
        """
        options = dict(params)
        changes = options.pop("changes", ())
        store = cls(**options)
        for change in changes:
            store = change(store)
        return store

    def __repr__(self) -> str:
        # Whoever shows the variables of a failed constructor should see a store that is not there yet.
        return self._described() if hasattr(self, "_compiled") else object.__repr__(self)

    def _described(self) -> str:
        """Return the text that shows the store."""
        usual = type(self).__init__.__kwdefaults__ or {}
        options = ", ".join(
            f"{name}={_shown(value)}"
            for name, value in self._params.items()
            if name != "changes"
            and value is not None
            and not (type(value) in _SIMPLE and value == usual.get(name, False))
        )
        shown = f"{type(self).__name__}({options})"
        if self._params.get("path", "") is None:  # temporary, or found by default
            shown += f" in {self._compiled.persister.place}"
        for change in self._params.get("changes", ()):
            shown = change.shown(shown)
        return shown

    def overview(self, max_n: int | None = 10, *, values: bool = True) -> "Overview":
        """Return a table of some items: their types, sizes and ages.

        Parameters
        ----------
        max_n
            How many at most; None for all.
        values
            Whether to show small values too. They are read one by one; without them one listing is enough.

        Returns
        -------
        Overview
            A tuple with an `ItemRow` for each item, shown as a table at a prompt and in a notebook;
            ``pandas.DataFrame(store.overview(None))`` makes a frame of it.

        Raises
        ------
        InvalidArgumentError
            If `max_n` is neither a number nor None.

        Notes
        -----
        Looking does not count as a use, where uses are counted, and runs no code: pickles that name code are
        not loaded, and functions of yours are not called; of such values only the format is shown.

        Examples
        --------
        >>> from holdall import MemoryStore
        >>> MemoryStore({"a": 1.5, "b": [1, 2]}).overview()
        MemoryStore(mapping={'a': 1.5, 'b': [1, 2]})
        key  type   size  age  value
        'a'  float        now  1.5
        'b'  list         now  [1, 2]
        """
        from holdall.store._looking import overview_of  # noqa: PLC0415  (rarely needed)

        return overview_of(self, max_n, values=values)

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: some items if that is fast, and never an error."""
        from holdall.store._looking import html_of  # noqa: PLC0415  (rarely needed)

        return html_of(self)

    def _ipython_key_completions_(self) -> list[Any]:
        """Return some keys to complete ``store["`` with; none if they cannot be listed in time."""
        try:
            return self._some_keys(_COMPLETIONS, _SECONDS)
        except (HoldallError, OSError):  # completion must not raise
            return []

    def _some_keys(self, limit: int, seconds: float) -> list[Any]:
        """Return some of the keys, in a time that does not depend on how many there are."""
        return [key for key, _ in self._some_pairs(limit, seconds)[0]]

    def _some_pairs(self, limit: int, seconds: float) -> tuple[list[tuple[Any, Any]], bool]:
        """Return some of the keys with their ids, and whether these are known to be all."""
        until = time.monotonic() + seconds
        ids = self._compiled.persister.peek(self._compiled.prefix, limit=_FOREIGN * limit, seconds=seconds)
        all_of_them = len(ids) < _FOREIGN * limit and time.monotonic() < until
        decode = self._compiled.decode
        if decode is None:
            return [(id, id) for id in ids[:limit]], all_of_them and len(ids) <= limit
        pairs: list[tuple[Any, Any]] = []
        for id in ids:
            if len(pairs) == limit or time.monotonic() > until + seconds:
                return pairs, False
            key = decode(id)
            if key is not NOT_MINE:
                pairs.append((key, id))
        return pairs, all_of_them


def _shown(option: Any) -> str:
    """Return a short text of an option, but a whole path; sorting a whole large dict for it is avoided."""
    if isinstance(option, str | os.PathLike):
        return shown(option, PATH)
    if type(option) is dict and len(option) > reprlib.aRepr.maxdict:
        option = dict(itertools.islice(option.items(), reprlib.aRepr.maxdict + 1))
    try:
        return reprlib.repr(option)
    except ValueError:  # an int of thousands of digits, which Python does not write
        return shown(option)
