"""The cost of loading a value again, from measured loads."""

from math import exp, log
from typing import Any, Final

__all__ = ["ReloadCosts"]

_WEIGHT: Final = 4  # of the usual cost, against 1 of the measured one
_MEMORY: Final = 16  # loads in the mean of the usual cost
_FAR: Final = log(4)  # limit of how far a load counts above or below the usual cost
_GUESS: Final = 50e-6, 1 / 500e6  # seconds per load and per byte, if nothing was measured


class ReloadCosts:
    """Seconds that loads take, by the type of the value and its size to a power of two.

    Notes
    -----
    A measurement may be distorted by the page cache, the scheduler, or the garbage collector. So a cost is
    the geometric mean of the measured cost, once, and the usual cost of such values, four times. Threads:
    safe; two simultaneous loads may count as one.

    Examples
    --------
    >>> costs = ReloadCosts()
    >>> first = costs.measured(list, 1000, 0.01)
    >>> round(first, 6), round(costs.expected(list, 1000), 6)
    (0.01, 0.01)
    """

    def __init__(self) -> None:
        self._usual: dict[tuple[Any, int], tuple[int, float]] = {}  # loads, mean of log(seconds / size)

    def measured(self, kind: Any, size: int, seconds: float) -> float:
        """Return the cost of a load that has just taken some seconds.

        Parameters
        ----------
        kind
            Type of the value.
        size
            Its size in bytes.
        seconds
            The duration of the load.
        """
        size = max(size, 1)
        rate = log(max(seconds, 1e-7) / size)
        key = kind, size.bit_length()
        known = self._usual.get(key)
        if known is not None:  # an extreme load says more about the machine than the value
            rate = min(max(rate, known[1] - _FAR), known[1] + _FAR)
        known = self._usual[key] = _mixed(known or (0, 0.0), rate)
        return size * exp((rate + _WEIGHT * known[1]) / (1 + _WEIGHT))

    def is_first(self, kind: Any, size: int) -> bool:
        """Return whether only one load of such values was measured, so that other costs were estimates."""
        return self._usual.get((kind, max(size, 1).bit_length()), (0, 0.0))[0] == 1

    def expected(self, kind: Any, size: int) -> float:
        """Return the expected cost of a load of a value that was never loaded.

        Parameters
        ----------
        kind
            Type of the value.
        size
            Its size in bytes.
        """
        if not self._usual:
            return _GUESS[0] + size * _GUESS[1]
        size = max(size, 1)
        bits = size.bit_length()
        for other in (bits, bits + 1, bits - 1, bits + 2, bits - 2):
            if (kind, other) in self._usual:
                return size * exp(self._usual[kind, other][1])
        return _GUESS[0] + size * _GUESS[1]


def _mixed(known: tuple[int, float], rate: float) -> tuple[int, float]:
    count = min(known[0] + 1, _MEMORY)
    return count, known[1] + (rate - known[1]) / count
