"""How a store displays itself: in bounded time, without reading a value."""

import itertools
import math
import reprlib
import time
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from holdall.abc import NOT_MINE
from holdall.errors import HoldallError
from holdall.store._base import StoreBase

K = TypeVar("K")
V = TypeVar("V")

_SIMPLE = (bool, int, float, str)
_ROWS = 10
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
        usual = type(self).__init__.__kwdefaults__ or {}
        options = ", ".join(
            f"{name}={reprlib.repr(value)}"
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

    def _repr_html_(self) -> str:
        import html  # noqa: PLC0415  (2 ms)

        rows: list[str] = []
        now = time.time()
        for key, id in itertools.islice(self._compiled.pairs_of_ids(), _ROWS + 1):
            if len(rows) == _ROWS:
                rows.append("<tr><td colspan=4>…</td></tr>")
                break
            try:
                stat = self._compiled.persister.stat(id)
            except (KeyError, OSError):
                continue
            size = "" if stat.size is None else f"{stat.size:,}"
            age = "" if math.isnan(stat.mtime) else f"{max(0.0, now - stat.mtime):,.0f}"
            choose = self._compiled.choose
            serializer = self._pipeline.serializer if choose is None else choose(id)
            kind = serializer.name if serializer else "as it is"
            cells = (repr(key)[:80], kind, size, age)
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>key</th><th>format</th><th>bytes</th><th>seconds old</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table>{head}{''.join(rows)}</table>"

    def _ipython_key_completions_(self) -> list[Any]:
        """Return some keys to complete ``store["`` with; none if they cannot be listed in time."""
        try:
            return self._some_keys(_COMPLETIONS, _SECONDS)
        except (HoldallError, OSError):  # completion must not raise
            return []

    def _some_keys(self, limit: int, seconds: float) -> list[Any]:
        """Return some of the keys, in a time that does not depend on how many there are."""
        until = time.monotonic() + seconds
        ids = self._compiled.persister.peek(self._compiled.prefix, limit=_FOREIGN * limit, seconds=seconds)
        decode = self._compiled.decode
        if decode is None:
            return ids[:limit]  # type: ignore[no-any-return]
        keys: list[Any] = []
        for id in ids:
            key = decode(id)
            if key is not NOT_MINE:
                keys.append(key)
            if len(keys) >= limit or time.monotonic() > until + seconds:
                break
        return keys
