"""What a store shows of itself; bounded, without reading a value."""

import html
import itertools
import math
import reprlib
import time
from typing import Any, TypeVar

from holdall.store._pipeline import StorePipeline

K = TypeVar("K")
V = TypeVar("V")

_ROWS = 10
_COMPLETIONS, _BUDGET = 1000, 0.1  # keys, seconds


class StoreDisplay(StorePipeline[K, V]):
    """The part of `Store` that people look at."""

    def get_params(self) -> dict[str, Any]:
        """Give the options of this store, by name, as they were given.

        Returns
        -------
        dict
            Sorted by name; a view also tells its ``prefix``.
        """
        return dict(sorted(self._params.items()))

    def __repr__(self) -> str:
        options = ", ".join(
            f"{name}={reprlib.repr(value)}"
            for name, value in self._params.items()
            if value not in (None, False)
        )
        return f"{type(self).__name__}({options})"

    def _repr_html_(self) -> str:
        rows: list[str] = []
        now = time.time()
        for key, id in itertools.islice(self._pairs(), _ROWS + 1):
            if len(rows) == _ROWS:
                rows.append("<tr><td colspan=4>…</td></tr>")
                break
            try:
                stat = self._persister.stat(id)
            except (KeyError, OSError):
                continue
            size = "" if stat.size is None else f"{stat.size:,}"
            age = "" if math.isnan(stat.mtime) else f"{max(0.0, now - stat.mtime):,.0f}"
            kind = self._serializer.name if self._serializer else "as it is"
            cells = (repr(key)[:80], kind, size, age)
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
        head = "<tr><th>key</th><th>format</th><th>bytes</th><th>seconds old</th></tr>"
        return f"<p>{html.escape(repr(self))}</p><table>{head}{''.join(rows)}</table>"

    def _ipython_key_completions_(self) -> list[Any]:
        until = time.monotonic() + _BUDGET
        keys: list[Any] = []
        for key, _ in self._pairs():
            keys.append(key)
            if len(keys) == _COMPLETIONS or time.monotonic() > until:
                break
        return keys
