"""Many requests at once: with limits of number and bytes, and results in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["BUDGET", "for_each", "in_order"]

T = TypeVar("T")
R = TypeVar("R")

#: How many bytes may be in transfer at once.
BUDGET = 64 << 20


def _weightless(_: Any) -> int:
    return 0


def in_order(
    work: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    weigh: Callable[[T], int] = _weightless,
) -> Iterator[tuple[T, R]]:
    """Yield items with their results, in order.

    At most `BUDGET` bytes are in transfer, but at least one item. When the caller stops, no further item is
    begun.

    Parameters
    ----------
    work
        The function for an item; runs in other threads.
    items
        The items; taken in the caller's thread, and only as fast as results are.
    workers
        How many items at once.
    weigh
        Returns the bytes of an item.
    """
    waiting: deque[tuple[T, Future[R], int]] = deque()
    weight = 0
    pool = ThreadPoolExecutor(workers, "holdall")
    try:
        for item in items:
            heavy = weigh(item)
            while waiting and (len(waiting) >= 2 * workers or weight + heavy > BUDGET):
                done, future, light = waiting.popleft()
                yield done, future.result()
                weight -= light
            waiting.append((item, pool.submit(work, item), heavy))
            weight += heavy
        while waiting:
            done, future, _ = waiting.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def for_each(
    work: Callable[[T], Any],
    items: Iterable[T],
    workers: int,
    weigh: Callable[[T], int] = _weightless,
    name: Callable[[T], Any] = id,
) -> None:
    """Do something with each item; items of one name in turn, the last of them last.

    After an error no further item is begun; running ones are finished. An error of `items` itself is raised
    when all items before it are done.

    Parameters
    ----------
    work, items, workers, weigh
        As for `in_order`.
    name
        Returns the name of an item; items with the same name stay in order.
    """
    waiting: deque[tuple[Any, Future[Any], int]] = deque()
    names: set[Any] = set()  # of those that wait
    weight = 0
    source = iter(items)
    failed: Exception | None = None
    pool = ThreadPoolExecutor(workers, "holdall")
    try:
        while True:
            try:
                item = next(source)
            except StopIteration:
                break
            except Exception as error:  # finish the items before it
                failed = error
                break
            heavy, called = weigh(item), name(item)
            while waiting and (len(waiting) >= 2 * workers or weight + heavy > BUDGET or called in names):
                other, future, light = waiting.popleft()
                future.result()
                names.discard(other)
                weight -= light
            waiting.append((called, pool.submit(work, item), heavy))
            names.add(called)
            weight += heavy
        for _, future, _ in waiting:
            future.result()
        if failed is not None:
            raise failed
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
