"""The progress of a copy, shown on a terminal if rich is installed."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress(what: str, count: Callable[[], int]) -> Iterator[Callable[[int], Any] | None]:
    """Show the progress of something while it runs.

    Parameters
    ----------
    what
        What is being done.
    count
        Returns how many items there are; called only if it is shown.

    Yields
    ------
    callable or None
        Takes the number of finished items.
    """
    bar = _bar() if sys.stderr.isatty() else None
    if bar is None:
        yield None
        return
    with bar:
        task = bar.add_task(what, total=count())
        yield lambda done: bar.update(task, completed=done)


def _bar() -> Any:
    try:
        from rich.console import Console  # noqa: PLC0415  (an extra)
        from rich.progress import MofNCompleteColumn, Progress  # noqa: PLC0415
    except ImportError:
        return None
    return Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True))
