"""The decorator: the function, the store, the options."""

import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from holdall._eviction import PolicyName
from holdall._options import MmapMode, unknown_option
from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.memo._bound import Applied, Bound, ClassBound
from holdall.memo._called import BoundKey, Called, called_by, shifted
from holdall.memo._memoized import Memoized
from holdall.memo._options import AUTOMATIC, MEMORY, SOURCE, Options
from holdall.memo._places import is_place
from holdall.memo._references import Hit

__all__ = ["memoize"]

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """The return value of `memoize` with options."""

    def __call__(self, function: Callable[P, R], /) -> Memoized[P, R]: ...


@overload
def memoize(place: Callable[P, R], /) -> Memoized[P, R]: ...
@overload
def memoize(
    place: Any = MEMORY,
    /,
    *,
    key: Callable[..., Any] | None = None,
    ignore: Any = (),
    typed: bool = False,
    ttl: float | None = None,
    version: str | int | None = SOURCE,
    name: str | None = None,
    maxsize: int | None = AUTOMATIC,
    max_bytes: float | str | None = None,
    max_items: int | None = None,
    max_age: float | None = None,
    policy: PolicyName = "lru",
    cache_if: Callable[[Any], Any] | None = None,
    valid: Callable[[Hit], Any] | None = None,
    lock: bool = True,
    lease: float | None = 30,
    copy: bool = True,
    mmap_mode: MmapMode | None = None,
    readable: bool = False,
    identity: Any = (),
    beta: float | None = None,
    errors_ttl: float | None = None,
) -> Decorator: ...
def memoize(place: Any = MEMORY, /, **options: Any) -> Any:
    """Keep the results of a function: in memory, and persistently in a store.

    Parameters
    ----------
    place
        Where to keep results: a store, any mapping, or a path, of a SQLite file if it ends in ``.db``,
        ``.sqlite`` or ``.sqlite3``, otherwise of a folder. It is opened by the first call. Omitted: only in
        memory. None switches memoizing off: the function is called each time, and nothing is kept.
    key
        A function of the same arguments that returns what the result depends on.
    ignore
        Names of parameters, or their positions, that the result does not depend on.
    typed
        Whether equal arguments of different types, such as ``1``, ``1.0`` and ``True``, are different.
    ttl
        For how many seconds a result is valid; None for no limit. Then ``entries`` no longer lists it, and
        ``purge`` deletes it.
    version
        Results of another version are not found. ``"source"`` follows the code: the version is a digest of
        the function and of what it depends on in its project, as ``version_info()`` shows. Text or a number
        of your own, or None: a fixed version, without looking at the code.
    name
        The name of the function in the store. None for its project, module and qualified name, and a digest
        of its closure, so that the functions of one factory are separate.
    maxsize
        How many results memory holds at most; None for no limit. The default is 10,000 with a store and no
        limit without one.
    max_bytes
        How many bytes the results take at most, a number or text such as ``"500MB"``: in memory, by estimate,
        and, where `place` is a path, in its file or folder, which functions with the same path and limits
        share. None for no limit. To limit a store of your own, use `holdall.wrappers.bounded`.
    max_items
        How many results the file or folder of a path holds at most, exact among processes; None for no limit.
    max_age
        After how many seconds a result is no longer used, whatever `ttl`, and deleted from the store, with
        those of other versions; None for never.
    policy
        What is evicted first when there is no room: ``"lru"``, ``"sieve"``, ``"lfu"`` or ``"gdsf"``, as in
        `holdall.wrappers.bounded`.
    cache_if
        A function of the result that returns whether to keep it.
    valid
        A function that is called with each known result, a `holdall.memo.Hit`, and returns whether to use it;
        if not, it is computed again. Each hit then takes some microseconds.
    lock
        Whether only one caller computes a result while others wait, among threads, tasks and processes, and
        among machines that share a server.
    lease
        Where results lie on a server: for how many seconds a machine that computes may show no sign of life
        before another one computes instead. What it computed itself is then given to its caller, and replaces
        nothing. None: each process computes for itself there.
    copy
        Whether each caller gets a copy of a mutable result. False if nobody changes results: callers share
        the object in memory.
    mmap_mode
        ``"r"`` maps large arrays of results into memory read-only instead of reading them, ``"c"``
        copy-on-write: results that are arrays, and arrays within dicts, lists, tables and other objects.
        `place` is a path, or a store of pickles or ``"npy"`` that keeps values in files. The first call
        gets its result from the file, too.
    readable
        Whether the keys in the store begin with the arguments, for humans.
    identity
        Names of parameters that are identified by object, such as ``"self"``; their results are kept only in
        memory.
    beta
        How eagerly a result is computed again before its `ttl` ends, so that callers need not wait then: by
        one call, at a random time that is earlier the longer computing takes, while the others get the old
        result. If the function raises an error then, that call gets the old result too. 1 is a good choice;
        None and 0 wait for the end.
    errors_ttl
        For how many seconds an error is kept, and raised again by calls with the same arguments in this
        process; None to keep no errors.

    Returns
    -------
    Memoized
        A callable like the function, with ``cache_info``, ``cache_clear``, ``cache_key``, ``forget``,
        ``peek``, ``cached``, ``refresh``, ``shelve``, ``purge``, ``outdated``, ``version_info``, ``store``,
        ``entries`` and ``__wrapped__``; a decorator, where only options were given.

    Raises
    ------
    InvalidArgumentError
        If the function is a generator, or an option is invalid; at the first call, if its closure contains
        something by which functions of its name may differ and whose content is unknown.

    Notes
    -----
    Threads, tasks and processes: one computes, others wait for it. Errors reach all waiting callers, and are
    kept only with `errors_ttl`. After a crash: results in the store are there, and a caller that waited for
    the crashed process computes. Cost: less than a microsecond for a result in memory and simple arguments. A
    failing store never makes a call fail: the function is called, with one warning.

    Examples
    --------
    >>> import holdall
    >>> cache = holdall.SQLiteStore()
    >>> @holdall.memoize(cache)
    ... def square(x, *, verbose=False):
    ...     print("computing")
    ...     return x * x
    >>> square(3), square(x=3)
    computing
    (9, 9)
    >>> square.cache_info().hits, len(square.entries)
    (1, 1)
    >>> cache.close()
    """
    if isinstance(place, staticmethod | classmethod) or (callable(place) and not is_place(place)):
        return _decorated(place, Options(**options))
    if place is not None and place is not MEMORY and not is_place(place):
        raise InvalidArgumentError(
            f"memoize takes a function, a store, a mapping or a path, got {type(place).__name__}"
        )
    known = {field.name for field in fields(Options)} - {"place", "off"}
    for name in options:
        if name not in known:
            raise unknown_option("memoize", name, known)
    if place is None:
        chosen = Options.switched_off(options)
    else:
        chosen = Options(place=None if place is MEMORY else place, **options)

    def decorate(function: Any, /) -> Any:
        return _decorated(function, chosen)

    return decorate


def _decorated(function: Any, options: Options) -> Any:
    if isinstance(function, staticmethod):
        return staticmethod(_decorated(function.__func__, options))
    if isinstance(function, classmethod):
        return ClassBound(_decorated(function.__func__, options))
    if not callable(function):
        raise InvalidArgumentError(f"only functions can be memoized, got {shown(function)}")
    called = called_by(function)
    if called.function is not function:
        return _applied(called, options)
    plain = inspect.unwrap(function)
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise InvalidArgumentError(
            f"{plain.__qualname__} is a generator, and its result can be used only once: "
            "return a list, or memoize the function that computes one item"
        )
    if inspect.iscoroutinefunction(function):
        from holdall.memo._async import AsyncMemoized  # noqa: PLC0415  (asyncio is slow to import)

        return AsyncMemoized(function, options)
    return Memoized(function, options)


def _applied(called: Called, options: Options) -> Any:
    """Memoize the function that is finally called, and bind the bound arguments again."""
    options = replace(
        options,
        key=None if options.key is None else BoundKey(options.key, called),
        ignore=shifted(options.ignore, len(called.args)),
        identity=shifted(options.identity, len(called.args)),
    )
    memoized = _decorated(called.function, options)
    if len(called.args) == 1 and not called.keywords:
        return Bound(memoized, called.args[0])
    return Applied(memoized, called.args, called.keywords)
