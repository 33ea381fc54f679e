"""Memoized functions with bound arguments: methods of one object, partial functions."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from holdall._shown import shown

__all__ = ["Applied", "Bound", "ClassBound"]

P = ParamSpec("P")
R = TypeVar("R")


class Applied(Generic[P, R]):
    """A memoized function that is called with further arguments.

    Parameters
    ----------
    memoized
        The memoized function.
    args
        Arguments before those of a call.
    keywords
        Keywords in addition to those of a call, which has precedence.
    """

    __slots__ = ("__func__", "__weakref__", "_args", "_keywords")

    def __init__(self, memoized: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self.__func__ = memoized
        self._args = args
        self._keywords = keywords

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__func__(*self._args, *args, **{**self._keywords, **kwargs})  # type: ignore[no-any-return]

    def cache_key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of a call."""
        return self.__func__.cache_key(*self._args, *args, **{**self._keywords, **kwargs})  # type: ignore[no-any-return]

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of a call; return whether there was one."""
        return self.__func__.forget(*self._args, *args, **{**self._keywords, **kwargs})  # type: ignore[no-any-return]

    def peek(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the result of a call if it is known; compute nothing."""
        return self.__func__.peek(*self._args, *args, **{**self._keywords, **kwargs})

    def cached(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Return whether the result of a call is known."""
        return self.__func__.cached(*self._args, *args, **{**self._keywords, **kwargs})  # type: ignore[no-any-return]

    def shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return a reference to the result of a call."""
        return self.__func__.shelve(*self._args, *args, **{**self._keywords, **kwargs})

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of a call again, and replace the old one."""
        return self.__func__.refresh(*self._args, *args, **{**self._keywords, **kwargs})  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __repr__(self) -> str:
        return f"<{self.__func__!r} with {shown(self._args)} bound>"

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Applied, (self.__func__, self._args, self._keywords)


class Bound(Applied[P, R]):
    """A memoized method of one object, which is added to the arguments, as in a bound method.

    Parameters
    ----------
    memoized
        The memoized function.
    instance
        The object.
    """

    __slots__ = ("__self__",)

    def __init__(self, memoized: Any, instance: Any) -> None:
        super().__init__(memoized, (instance,), {})
        self.__self__ = instance

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__func__(self.__self__, *args, **kwargs)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {self.__self__!r}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Bound) and other.__self__ is self.__self__ and other.__func__ is self.__func__
        )

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Bound, (self.__func__, self.__self__)


class ClassBound(classmethod):  # type: ignore[type-arg]
    """A memoized class method: accessed by a class, it has the methods of `Bound`."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return Bound(self.__func__, type(instance) if owner is None else owner)
