"""A memoized function, as its users see it."""

import sys
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from holdall._posix.fork import Living, at_fork
from holdall.memo import _flight, _locks, _places
from holdall.memo._arguments import ATOMS, BadCallError, plain_key
from holdall.memo._asking import Asking
from holdall.memo._bound import Bound
from holdall.memo._core import COMPUTE, fail
from holdall.memo._entries import MISSING
from holdall.memo._flight import Flight
from holdall.memo._options import Options
from holdall.memo._project import MAIN

__all__ = ["Memoized", "everything"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")

# Only arguments of these types are their own quick keys: none of another type equals them, as True equals 1.
_UNLIKE_OTHERS = frozenset({int, str})


class Memoized(Asking[P, R]):
    """A function whose results are kept, made by `memoize`.

    Notes
    -----
    Threads: safe. One call computes, and others with the same arguments wait for it. Processes: the same,
    where the store is a folder or a SQLite file, and machines, where it is a server that compares and swaps.
    After a crash: results in the store are there, and a caller that waited for the crashed process computes.
    Cost: a microsecond for a result in memory.
    """

    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        super().__init__(function, options)
        everything.add(self)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: PLR0915  (a call costs a tenth)
        values: tuple[Any, ...] | None = None
        quick: Any = None
        if not kwargs and len(args) <= self._by_position:
            if len(args) == 1:
                cls = type(args[0])
                if cls is int or cls is str:  # as below, without a tuple
                    quick = args[0]
                elif cls in ATOMS:
                    quick = (cls, args[0])
            elif _UNLIKE_OTHERS.issuperset(map(type, args)):
                quick = args
            elif ATOMS.issuperset(map(type, args)):
                quick = (*map(type, args), *args)
        if quick is None:
            if len(args) == self._exact and not kwargs:
                values, quick = args, plain_key(args)
            else:
                try:
                    values = self._arguments.values(args, kwargs)
                except BadCallError:
                    return self.__wrapped__(*args, **kwargs)  # raises what is wrong
                quick = self._quick_key(values)
        entry = self._quick.get(quick)
        if (
            entry is not None
            and self._plain.__code__ is self._bytecode
            and (self._ttl is None or 0 < entry.expires - time.time() <= self._reach)
        ):
            self._hit()
            entry.used = True
            return entry.value if entry.copy is None else entry.copy(entry.value)  # type: ignore[no-any-return]
        if values is None:
            try:
                values = (
                    args if len(args) == self._exact and not kwargs else self._arguments.values(args, kwargs)
                )
            except BadCallError:
                return self.__wrapped__(*args, **kwargs)
        # Inlined, so that a recursive function needs only one more frame per level.
        steps = self._steps(values, quick, get_ident())
        answer: Any = None
        try:
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                answer = None
                if step is COMPUTE:
                    try:
                        answer = (self.__wrapped__(*args, **kwargs), None)
                    except BaseException as error:
                        instead = fail(steps, error)
                        if instead is MISSING:
                            raise
                        return instead  # type: ignore[no-any-return]
                elif type(step) is float:
                    time.sleep(step)
                elif type(step) is Flight:
                    step.wait()
                else:
                    raise step
        finally:
            steps.close()

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of a call again, and replace the old one."""
        self._opened()
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _quick={}, _fresh=True)
        return twin(*args, **kwargs)

    # ------------------------------------------------------------------ as functions do

    @overload
    def __get__(self, instance: None, owner: Any = None) -> "Memoized[P, R]": ...
    @overload
    def __get__(self: "Memoized[Concatenate[S, Q], R]", instance: S, owner: Any = None) -> "Bound[Q, R]": ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else Bound(self, instance)

    def __repr__(self) -> str:
        return f"<memoized {self._name or repr(self.__wrapped__)}>"

    def __reduce__(self) -> Any:
        name = by_name(self)
        if name is not None and not (self.__module__ in MAIN and is_by_value()):
            return name
        return _shell, (type(self),), self.__getstate__()

    def __getstate__(self) -> Any:
        """Return its state; in another process, the same name and version are not looked up again."""
        return self.__wrapped__, self._options, self._place_if_any()

    def __setstate__(self, state: Any) -> None:
        function, options, self._sent_place = state
        self.__init__(function, options)  # type: ignore[misc]

    def __copy__(self) -> "Memoized[P, R]":
        return self

    def __deepcopy__(self, memo: Any) -> "Memoized[P, R]":
        return self


def _shell(cls: type[Memoized[Any, Any]]) -> Memoized[Any, Any]:
    """Make a memoized function without state, which its state may contain, as where it calls itself."""
    return object.__new__(cls)


def is_by_value() -> bool:
    """Return whether cloudpickle is pickling, which includes the definitions of a script."""
    pickler = sys._getframe(2).f_locals.get("self")  # noqa: SLF001  (the only way)
    return any("cloudpickle" in base.__module__ for base in type(pickler).__mro__)


def by_name(thing: Any) -> str | None:
    """Return the qualified name by which pickle finds an object in its module; None if it does not."""
    name = str(getattr(thing, "__qualname__", ""))
    found: Any = sys.modules.get(getattr(thing, "__module__", None) or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is thing else None


#: All memoized functions in use.
everything: Living[Memoized[Any, Any]] = Living()


def _after_fork() -> None:
    _locks.after_fork()
    _places.after_fork()
    _flight.forget_waiting()
    for memoized in everything:
        memoized._after_fork()  # noqa: SLF001


at_fork(after_in_child=_after_fork)
