"""A picture of what memoized functions have saved."""

from typing import Any

from holdall._shown import shown
from holdall.errors import InvalidArgumentError, UnsupportedError
from holdall.memo._asking import Asking
from holdall.memo._bound import Applied
from holdall.memo._memoized import everything

__all__ = ["plot"]

_HIT, _MISS = "tab:green", "tab:orange"
_HEIGHT, _ROW = 1.4, 0.35  # inches: of title and axes, and of a function


def plot(*functions: Any, figure: Any = None) -> Any:
    """Draw hits and misses of memoized functions, and the seconds saved and spent, in this process.

    Parameters
    ----------
    *functions
        Memoized functions; omitted, all that were called in this process.
    figure
        A figure of matplotlib to draw into; None for a new one, of `matplotlib.pyplot`.

    Returns
    -------
    matplotlib.figure.Figure
        The figure: on the left the calls of each function, on the right the seconds. Functions that saved
        most
        are on top.

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed: ``pip install 'holdall[plot]'``.
    InvalidArgumentError
        If something is not a memoized function.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from holdall import memoize
    >>> square = memoize(lambda x: x * x)
    >>> square(2) + square(2)
    8
    >>> [axes.get_title() for axes in plot(square, figure=Figure()).axes]
    ['calls', 'seconds']
    """
    chosen = [_memoized(function) for function in functions]
    rows = [(function.cache_info(), function) for function in chosen or everything]
    if not chosen:
        rows = [row for row in rows if row[0].hits or row[0].misses]
    rows.sort(key=lambda row: (row[0].saved, row[0].hits))
    if figure is None:
        try:
            from matplotlib import pyplot as plt  # noqa: PLC0415  (only for plots)
        except ImportError as error:
            raise UnsupportedError("plot needs matplotlib: pip install 'holdall[plot]'") from error
        figure = plt.figure(figsize=(9, _HEIGHT + _ROW * len(rows)), layout="constrained")
    calls, seconds = figure.subplots(1, 2, sharey=True)
    infos = [info for info, _ in rows]
    _bars(calls, "calls", ("hits", [i.hits for i in infos]), ("misses", [i.misses for i in infos]))
    _bars(seconds, "seconds", ("saved", [i.saved for i in infos]), ("computing", [i.seconds for i in infos]))
    calls.set_yticks(range(len(rows)), [_title(function) for _, function in rows])
    return figure


def _bars(axes: Any, title: str, *parts: tuple[str, list[float]]) -> None:
    """Draw the first part of each row, and the second one after it."""
    start = [0.0] * len(parts[0][1])
    for (label, widths), color in zip(parts, (_HIT, _MISS), strict=True):
        axes.barh(range(len(widths)), widths, left=start, label=label, color=color)
        start = [before + width for before, width in zip(start, widths, strict=True)]
    axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=len(parts), frameon=False)


def _title(function: Any) -> str:
    return (
        f"{function.__module__}.{function.__qualname__}"
        if hasattr(function, "__qualname__")
        else repr(function)
    )


def _memoized(function: Any) -> Any:
    found = function.__func__ if isinstance(function, Applied) else function
    if not isinstance(found, Asking):
        raise InvalidArgumentError(f"plot takes memoized functions, got {shown(function)}")
    return found
