"""A memoized method of one object."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Bound", "ClassBound"]

P = ParamSpec("P")
R = TypeVar("R")


class Bound(Generic[P, R]):
    """A memoized method of one object, which it adds to the arguments, as a bound method does.

    Parameters
    ----------
    memoized
        The memoized function.
    instance
        The object.
    """

    __slots__ = ("__func__", "__self__")

    def __init__(self, memoized: Any, instance: Any) -> None:
        self.__func__ = memoized
        self.__self__ = instance

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__func__(self.__self__, *args, **kwargs)  # type: ignore[no-any-return]

    def cache_key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Give the key of a call."""
        return self.__func__.cache_key(self.__self__, *args, **kwargs)  # type: ignore[no-any-return]

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of a call; tell whether there was one."""
        return self.__func__.forget(self.__self__, *args, **kwargs)  # type: ignore[no-any-return]

    def peek(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Give the result of a call if it is known, and compute nothing."""
        return self.__func__.peek(self.__self__, *args, **kwargs)

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute the result of a call anew, and keep it in the place of the old one."""
        return self.__func__.refresh(self.__self__, *args, **kwargs)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

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
    """A memoized class method: what it gives for a class has the methods of `Bound`."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return Bound(self.__func__, type(instance) if owner is None else owner)
