"""The distribution of sizes and ages of items: counts by classes, and lines that draw them."""

import bisect
import math
import shutil
import sys
from typing import Any, Final

from holdall._units import shown_age, shown_size

__all__ = ["Histogram", "ages", "sizes"]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_WIDEST: Final = 60  # columns of the longest bar
_DAY: Final = 86400.0


class Histogram:
    """Counts of numbers by classes; each class extends from its bound, included, to the next one.

    Parameters
    ----------
    bounds
        The lower bounds of classes, ascending; smaller numbers count in the first class.
    shown
        Returns a bound for display.
    """

    def __init__(self, bounds: tuple[float, ...], shown: Any) -> None:
        self.bounds = bounds
        self.counts = [0] * len(bounds)
        self._shown = shown

    def add(self, number: float) -> None:
        """Count a number."""
        self.counts[max(0, bisect.bisect_right(self.bounds, number) - 1)] += 1

    def classes(self) -> list[dict[str, Any]]:
        """Return the classes from the first to the last one with items; the last class has no end."""
        return [
            {"from": self.bounds[number], "to": self._end(number), "items": self.counts[number]}
            for number in self._range()
        ]

    def lines(self) -> list[str]:
        """Return a line for each class, with a bar for its count."""
        classes = self._range()
        if not classes:
            return []
        names = [self._name(number) for number in classes]
        counts = [f"{self.counts[number]:,}" for number in classes]
        start, end = max(map(len, names)), max(map(len, counts))
        room = min(_WIDEST, max(10, shutil.get_terminal_size().columns - start - end - 7))
        top = max(self.counts)
        return [
            f"  {name:<{start}}  {count:>{end}}  {_bar(self.counts[number] / top * room)}".rstrip()
            for number, name, count in zip(classes, names, counts, strict=True)
        ]

    def _range(self) -> list[int]:
        some = [number for number, count in enumerate(self.counts) if count]
        return list(range(some[0], some[-1] + 1)) if some else []

    def _end(self, number: int) -> float | None:
        return self.bounds[number + 1] if number + 1 < len(self.bounds) else None

    def _name(self, number: int) -> str:
        end = self._end(number)
        if end is None:
            return f"{self._shown(self.bounds[number])} or more"
        return f"less than {self._shown(end)}"


def sizes() -> Histogram:
    """Return an empty histogram of bytes."""
    return Histogram((0, *(10**power for power in range(2, 11))), _shown_bound)


def _shown_bound(size: float) -> str:
    return shown_size(size).replace(".0 ", " ")


def ages() -> Histogram:
    """Return an empty histogram of seconds."""
    bounds = (0, 60, 3600, _DAY, 7 * _DAY, 31 * _DAY, 366 * _DAY, 3 * 366 * _DAY)
    return Histogram(bounds, shown_age)


def _bar(length: float) -> str:
    """Return a bar of so many columns, at least a visible one."""
    whole, eighths = divmod(math.ceil(length * 8), 8)
    bar = "█" * whole + _EIGHTHS[eighths].strip()
    try:
        bar.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#" * math.ceil(length)
    return bar
