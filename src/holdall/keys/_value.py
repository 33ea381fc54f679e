"""The base of codecs: values, compared and pickled by the arguments that they were made with."""

from functools import partial
from typing import Any, TypeVar

from holdall._shown import shown
from holdall.abc import KeyCodec
from holdall.errors import InvalidArgumentError

K = TypeVar("K")


def named(thing: Any) -> str:
    """Return a name of a class, function or module that is the same in every process; else its class's."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    # Methods written in C have no module, or None: they are named by their class.
    owner = getattr(named, "__objclass__", getattr(named, "__self__", None))
    module = getattr(named, "__module__", None) or getattr(owner, "__module__", "builtins")
    return f"{module}.{named.__qualname__}".removeprefix("builtins.")


def text_option(value: object, what: str) -> str:
    """Check an option; `str.__str__` makes plain text of subclasses, whatever they redefine."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{what} is a str, got {type(value).__name__}: {shown(value)}")
    return str.__str__(value)


class FrozenCodec(KeyCodec[K]):
    """A codec that is compared and pickled by the arguments that it was made with."""

    _args: tuple[Any, ...]
    _options: dict[str, Any]

    def _freeze(self, *args: Any, options: dict[str, Any] | None = None, **derived: Any) -> None:
        for name, value in {"_args": args, "_options": options or {}, **derived}.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self!r} is frozen: make another one instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self!r} is frozen: {name!r} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), *self._args, **self._options), ()

    def __repr__(self) -> str:
        shown = [repr(arg) for arg in self._args]
        shown += [f"{name}={value!r}" for name, value in self._options.items()]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self._args, self._options) == (other._args, other._options)

    def __hash__(self) -> int:
        return hash(repr(self))
