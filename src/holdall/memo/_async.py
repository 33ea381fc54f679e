"""Memoized coroutine functions: the same algorithm, driven by tasks, so that waiting blocks nothing."""

import asyncio
import inspect
from typing import Any, ParamSpec, TypeVar

from holdall.memo._arguments import BadCallError
from holdall.memo._core import COMPUTE, fail
from holdall.memo._entries import MISSING
from holdall.memo._flight import PATIENCE, Flight, owner_of_task
from holdall.memo._memoized import Memoized

__all__ = ["AsyncMemoized"]

P = ParamSpec("P")
R = TypeVar("R")


class AsyncMemoized(Memoized[P, R]):
    """A coroutine function whose results are kept.

    Notes
    -----
    Tasks: one computes, others with the same arguments wait for it, in any number of event loops and threads.
    If it is cancelled, one of the waiting tasks takes over. Reads of the store are done in the event loop:
    they take microseconds for a SQLite file or a folder.
    """

    def __init__(self, function: Any, options: Any) -> None:
        super().__init__(function, options)
        if hasattr(inspect, "markcoroutinefunction"):
            inspect.markcoroutinefunction(self)
        else:
            self._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._answer(args, kwargs)  # type: ignore[return-value]

    def shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return a reference to the result of a call, to be awaited."""
        return self._shelve(args, kwargs)

    async def _shelve(self, args: Any, kwargs: Any) -> Any:
        entries, key = self._to_shelve(args, kwargs)
        if key not in entries.valid or not self.cached(*args, **kwargs):
            await self._answer(args, kwargs)
        return self._shelved(entries, key)

    async def _answer(self, args: Any, kwargs: Any) -> Any:
        try:
            values = self._arguments.values(args, kwargs)
        except BadCallError:
            return await self.__wrapped__(*args, **kwargs)  # type: ignore[misc]  # which says what is wrong
        quick = self._quick_key(values)
        entry = self._found(quick)
        if entry is not None:
            return entry.given()
        steps = self._steps(values, quick, owner_of_task())
        answer = None
        try:
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as stop:
                    return stop.value
                answer = None
                if step is COMPUTE:
                    try:
                        answer = (await self.__wrapped__(*args, **kwargs), None)  # type: ignore[misc]
                    except BaseException as error:
                        instead = fail(steps, error)
                        if instead is MISSING:
                            raise
                        return instead
                elif type(step) is float:
                    await asyncio.sleep(step)
                elif type(step) is Flight:
                    await _finished(step)
                else:
                    raise step
        finally:
            steps.close()


async def _finished(flight: Flight) -> None:
    """Wait until a flight has finished, in whatever thread or loop it is computed."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def end() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def call_back() -> None:
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:
            pass  # that loop is closed: nothing waits there

    flight.when_finished(call_back)
    while not waiter.done() and not flight.abandoned:
        await asyncio.wait({waiter}, timeout=PATIENCE)
