"""How far a copy is, shown on a terminal where rich is installed, and nowhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress(what: str, count: Callable[[], int]) -> Iterator[Callable[[int], Any] | None]:
    """Show how far something is while it runs.

    Parameters
    ----------
    what
        What is done.
    count
        Returns how many items there are; only asked where it is shown.

    Yields
    ------
    callable or None
        Takes the number of items that are done.
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
