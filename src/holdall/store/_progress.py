"""Telling how many items went by."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["Progress"]

T = TypeVar("T")


class Progress:
    """Counts items, and tells a function of the user how many there were after each."""

    def __init__(self, tell: Callable[[int], Any] | None) -> None:
        self.tell = tell
        self.count = 0

    def add(self) -> None:
        """Count one item more."""
        self.count += 1
        if self.tell is not None:
            self.tell(self.count)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Iterate over items, and count each when the next one is asked for."""
        for item in items:
            yield item
            self.add()
