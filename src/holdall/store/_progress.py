"""Counting the items that pass, for a progress function."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["Progress"]

T = TypeVar("T")


class Progress:
    """Count items, and call a function with the number after each."""

    def __init__(self, tell: Callable[[int], Any] | None) -> None:
        self.tell = tell
        self.count = 0

    def add(self) -> None:
        """Count one item more."""
        self.count += 1
        if self.tell is not None:
            self.tell(self.count)

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and count each when the next one is requested."""
        for item in items:
            yield item
            self.add()
