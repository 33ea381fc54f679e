"""The function that is finally called, and its bound arguments: of methods, partial functions, objects."""

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from holdall.memo._bound import Bound
from holdall.memo._core import Core

__all__ = ["BoundKey", "Called", "called_by", "shifted"]

_OF_OBJECTS = (types.BuiltinMethodType, types.MethodWrapperType)
_PLAIN = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, type, Core)


class Called(NamedTuple):
    """A function, and arguments that are added before and to those of a call."""

    function: Any
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}


def called_by(thing: Any) -> Called:
    """Return what calling an object calls.

    The object of a bound method, the arguments of a partial function, and an object whose class defines
    ``__call__`` become arguments like others, so that results depend on them as they are at each call.
    """
    args: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    while True:
        if isinstance(thing, functools.partial):
            args, keywords = (*thing.args, *args), {**thing.keywords, **keywords}
            thing = thing.func
        elif isinstance(thing, types.MethodType | Bound):
            args, thing = (thing.__self__, *args), thing.__func__
        elif isinstance(thing, _OF_OBJECTS) and not isinstance(thing.__self__, types.ModuleType | None):
            owner = thing.__self__ if isinstance(thing.__self__, type) else type(thing.__self__)
            args, thing = (thing.__self__, *args), inspect.getattr_static(owner, thing.__name__)
        elif not isinstance(thing, _PLAIN) and isinstance(type(thing).__call__, types.FunctionType):
            args, thing = (thing, *args), type(thing).__call__  # a C function with a name, or none
        else:
            return Called(thing, args, keywords)


class BoundKey:
    """The key function of a call, together with bound arguments.

    Parameters
    ----------
    key
        The function.
    called
        The bound arguments.
    """

    def __init__(self, key: Callable[..., Any], called: Called) -> None:
        self._key = key
        self._called = called

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the key of a call with all its arguments."""
        bound, keywords = len(self._called.args), self._called.keywords
        given = {n: value for n, value in kwargs.items() if n not in keywords or value is not keywords[n]}
        return args[:bound], keywords, self._key(*args[bound:], **given)


def shifted(names: Any, by: int) -> Any:
    """Return names or positions of parameters, counted from the first."""
    if type(names) is int:
        return names + by if names >= 0 else names
    if isinstance(names, str) or not by:
        return names
    return tuple(shifted(name, by) if type(name) is int else name for name in names)
