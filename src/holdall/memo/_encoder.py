"""Bytes of values, piece by piece, and names of classes: the base of all encoders of values."""

import hashlib
import sys
from collections.abc import Callable, Container, Iterable
from functools import cached_property
from types import MemberDescriptorType
from typing import Any, ClassVar

from holdall.memo._project import imported_as

__all__ = [
    "ENCODERS",
    "INLINE",
    "LARGE",
    "Encode",
    "Encoder",
    "Unkeyable",
    "found_by_name",
    "is_found",
    "name_of",
]

#: The size from which a buffer is digested by itself, without a copy.
INLINE = 1024
#: SHA-256, since it must be the same on all machines and hard to collide on purpose: with hardware support,
#: it is the fastest of the standard library (0.6 ms per megabyte; BLAKE2b 1.0, SHA-1 0.6, MD5 1.6).
LARGE = hashlib.sha256


class Unkeyable(Exception):  # noqa: N818  (internal, never seen outside)
    """The value cannot be distinguished from others; the text says why."""


class Encoder:
    """Bytes of values, one after the other.

    Parameters
    ----------
    typed
        Whether equal values of different types are different.
    token
        Returns a number for an object that is identified by itself, not by content; None where such objects
        are refused.
    whole
        Whether what is encoded makes a class or function that its name does not lead to.
    exact
        Whether equal values differ by all that code can see of them, such as the order of a dict.
    """

    __slots__ = ("exact", "local", "out", "token", "typed", "whole")

    #: Returns the encoder for a class that is not in the table.
    find: ClassVar[Any]
    #: Returns what makes the values of a class that its name does not lead to; nothing for another one.
    describe: ClassVar[Any]

    def __init__(
        self,
        typed: bool = False,
        token: Callable[[Any], int] | None = None,
        *,
        whole: bool = False,
        exact: bool = False,
    ) -> None:
        self.out: list[bytes] = []
        self.typed = typed
        self.token = token
        self.whole = whole
        self.exact = exact
        #: Whether anything was encoded that is valid only in this process.
        self.local = False

    def add(self, value: Any) -> None:
        """Encode a value.

        Raises
        ------
        Unkeyable
            If it cannot be distinguished from others.
        """
        (ENCODERS.get(type(value)) or self.find(type(value)))(value, self)

    def apart(self, value: Any) -> bytes:
        """Return the encoding of a value by itself."""
        before, self.out = self.out, []
        try:
            self.add(value)
            return b"".join(self.out)
        finally:
            self.out = before

    def text(self, text: str) -> None:
        """Encode text as part of something else."""
        data = text.encode("utf-8", "surrogatepass")
        self.out.append(b"%d:%b" % (len(data), data))

    def open(self, tag: bytes, name: str) -> None:
        """Begin a value with parts; `close` ends it."""
        self.out.append(tag + b"<")
        self.text(name)

    def begin(self, tag: bytes, cls: type, title: str = "") -> None:
        """Begin a value of a class; `close` ends it."""
        name = (title + name_of(cls)).encode("utf-8", "surrogatepass")
        self.out.append(b"%b<%d:%b" % (tag, len(name), name))
        if self.whole or not is_found(cls):
            self._making(cls)

    def named(self, cls: type) -> bool:
        """Encode a class by its name and what makes it; return whether its name is enough."""
        self.text(name_of(cls))
        return (is_found(cls) and not self.whole) or self._making(cls)

    def _making(self, cls: type) -> bool:
        try:
            made = self.describe(cls, is_found(cls))
        except Unkeyable:
            if self.token is None:
                raise
            self.by_identity(cls)
            return False
        self.out.append(made)
        return not made

    def close(self) -> None:
        """End the value that was begun."""
        self.out.append(b">")

    def parts(self, tag: bytes, name: str, values: Iterable[Any]) -> None:
        """Encode a value that consists of its parts."""
        self.open(tag, name)
        for value in values:
            self.add(value)
        self.close()

    def attribute(self, name: str, value: Any) -> None:
        """Encode a named part.

        Raises
        ------
        Unkeyable
            If its value cannot be distinguished from others; the text names it.
        """
        self.text(name)
        try:
            self.add(value)
        except Unkeyable as error:
            raise Unkeyable(f"its attribute {name!r} is not known: {error}") from None

    def attributes(self, value: Any, known: type, but: Container[str] = ()) -> None:
        """Encode what an object has beyond its class `known`: attributes, and slots of subclasses.

        Parameters
        ----------
        value
            The object.
        known
            A class of the object; `object` for all slots.
        but
            Names to leave out.
        """
        cls = type(value)
        for name, attribute in sorted(getattr(value, "__dict__", {}).items()):
            if name not in but and not isinstance(getattr(cls, name, None), cached_property):
                self.attribute(name, attribute)
        for base in cls.__mro__[: cls.__mro__.index(known)]:
            for name, slot in sorted(vars(base).items()):
                if isinstance(slot, MemberDescriptorType) and name not in but and name != "__weakref__":
                    try:
                        content = slot.__get__(value)
                    except AttributeError:  # not set
                        continue
                    self.attribute(f"{base.__qualname__}.{name}", content)

    def buffer(self, view: memoryview) -> None:
        """Encode contiguous memory, large one by its digest and without a copy."""
        self.out.append(b"%d:" % view.nbytes)
        self.out.append(view.tobytes() if view.nbytes < INLINE else LARGE(view).digest())

    def by_identity(self, value: Any) -> None:
        """Encode an object by its identity."""
        if self.token is None:
            raise Unkeyable(_advice(type(value)))
        self.local = True
        self.out.append(b"@%d;" % self.token(value))


Encode = Callable[[Any, Encoder], None]
#: Encoders for objects of exactly these classes.
ENCODERS: dict[type, Encode] = {}


# Classes that are compiled in, and cannot be made a second time: not on the heap, or immutable.
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8


def is_found(thing: Any) -> bool:
    """Return whether the name of a class or function leads to it, and not to another one or to nothing."""
    if getattr(sys.modules.get(thing.__module__), thing.__qualname__, None) is thing:  # most
        return True
    if found_by_name(thing) is thing:
        return True
    return isinstance(thing, type) and thing.__flags__ & (_HEAP | _IMMUTABLE) != _HEAP


def found_by_name(thing: Any) -> Any:
    """Return what the name of a class or function leads to now; None if nothing."""
    found = _module(thing.__module__ or "")
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return found


def _module(name: str) -> Any:
    """Return a module, also one that its package imports when it is asked for it."""
    package, _, last = name.rpartition(".")
    return sys.modules.get(name) or (getattr(_module(package), last, None) if package else None)


def name_of(thing: Any) -> str:
    """Return the name of a class or function, the same in every process."""
    module = getattr(thing, "__module__", None) or "builtins"
    if module in {"__main__", "__mp_main__"}:
        module = _main_module(module)
    return f"{module}.{getattr(thing, '__qualname__', None) or thing.__name__}"


def _main_module(name: str) -> str:
    """Return the name of a script by its file: the same if run, imported, or loaded by `multiprocessing`."""
    main = sys.modules.get(name) or sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if spec is not None and spec.name not in {"__main__", "__mp_main__"}:
        return str(spec.name)
    return imported_as(file) if file else "__main__"


def _advice(cls: type) -> str:
    return (
        f"{name_of(cls)} has no content that holdall knows: give the class a method __memo_key__, "
        "tell what its objects are by holdall.memo.register, or leave the argument out by ignore="
    )
