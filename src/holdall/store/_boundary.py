"""Where errors of a store get their meaning, and their facts: key, location, operation.

Only the look-up in the persister may say that a key is absent. What a serializer, a codec or a function of
the user raises, even a KeyError, is reported as something else.

An error that came as an argument is deleted when it is raised. Otherwise the error, its traceback and the
frame would keep each other alive, and with them the store and its open files.
"""

from typing import Any, Final, NoReturn

from holdall._shown import shown
from holdall.abc import Capability
from holdall.conditional import Expected, Stat
from holdall.errors import (
    CorruptValueError,
    HoldallError,
    InvalidArgumentError,
    InvalidKeyError,
    Operation,
    SerializationError,
)

__all__ = ["ErrorBoundary", "OtherTypeError", "as_text", "is_other", "missing"]

_MISSING_CODE: Final = (ImportError, AttributeError)


def missing(key: Any, error: KeyError) -> KeyError:
    """Return the error for a key that the persister does not have, or cannot have."""
    if isinstance(error, InvalidKeyError):
        return error.about(key=key)
    found = KeyError(key)
    for note in getattr(error, "__notes__", ()):  # what the place has to say about it
        found.add_note(note)
    return found


def as_text(persister: Any, key: Any) -> str:
    """Refuse a key that is no text where ids are: else a place fails in its own words, or takes 1 for "1"."""
    if isinstance(key, str):
        return key
    raise InvalidKeyError(
        f"keys of {persister.place} are str, got {type(key).__name__}: {shown(key)}; for others give a "
        "codec, such as keys=AnyKeys()"
    )


class ErrorBoundary:
    """The part of `Compiled` that calls the persister and reports errors."""

    __slots__ = ()

    persister: Any
    value_type: type | tuple[type, ...] | None
    own_errors: tuple[bool, bool]

    def id(self, key: Any) -> Any:
        """Return the id of a key."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the place, with facts for errors

    def write(self, key: Any, id: Any, data: Any, expected: Expected) -> Stat:
        """Write data if the id is in the expected state."""
        try:
            return self.persister.write(id, data, expected)  # type: ignore[no-any-return]
        except HoldallError as error:
            self.add_facts(error, key, "write")
            raise

    def remove(self, key: Any, id: Any, expected: Expected) -> None:
        """Delete an id that is in the expected state."""
        try:
            self.persister.remove(id, expected)
        except HoldallError as error:
            self.add_facts(error, key, "delete")
            raise

    def discard(self, key: Any, id: Any) -> bool:
        """Delete an id if it is there; return whether it was."""
        try:
            return bool(self.persister.discard(id))
        except HoldallError as error:
            self.add_facts(error, key, "delete")
            raise

    def stat(self, key: Any, id: Any) -> Stat:
        """Return the stat of an id."""
        try:
            return self.persister.stat(id)  # type: ignore[no-any-return]
        except HoldallError as error:
            self.add_facts(error, key, "read")
            raise

    def add_facts(self, error: HoldallError, key: Any, operation: Operation) -> None:
        """Add facts to an error of the persister, with the user's key."""
        error.about(key=key, location=self.place, operation=operation)

    # ------------------------------------------------------------------ errors

    @property
    def place(self) -> str:
        """Where the data are, for messages."""
        return str(self.persister.place)

    def refuse(self, id: Any, error: TypeError) -> NoReturn:
        """Raise KeyError for an id that the mapping cannot hold; pass on its other errors."""
        if not isinstance(error, HoldallError):
            try:
                hash(id)
            except TypeError:
                raise InvalidKeyError(
                    f"{shown(id)} cannot be a key of {self.place}: {type(id).__name__} is not hashable",
                ).about(key=id, location=self.place) from None
        try:
            raise error
        finally:
            del error  # see the top of the module

    def unnameable(self, key: Any, error: Exception) -> NoReturn:
        """Raise InvalidKeyError for a key that a key function cannot take; report faults of the function."""
        if isinstance(error, InvalidKeyError):
            error.about(key=key, location=self.place)
            try:
                raise error
            finally:
                del error  # see the top of the module
        if isinstance(error, KeyError):
            raise InvalidArgumentError(
                f"naming {shown(key, 120)} for {self.place} failed with KeyError: {error}; that does not "
                "mean that the key is absent: raise InvalidKeyError for keys that are not accepted",
            ).about(key=key, location=self.place) from error
        raise InvalidKeyError(
            f"{shown(key, 120)} has no name in {self.place}: {type(error).__name__}: {error}",
        ).about(key=key, location=self.place) from error

    def unreadable(self, key: Any, error: Exception, *, own: bool | None = None, data: Any = b"") -> NoReturn:
        """Raise why a stored value cannot be read; errors of the user's own functions stay as they are."""
        own = self.own_errors[1] if own is None else own
        if isinstance(error, OtherTypeError):
            raise InvalidArgumentError(
                f"values of this store are {self._types()}, and that of {shown(key, 120)} in {self.place} "
                f"is {error}: read it by a store without value_type, or store another value in its place",
            ).about(key=key, location=self.place, operation="read") from None
        if is_other(error) or (own and not isinstance(error, KeyError)):
            if isinstance(error, HoldallError):
                error.about(key=key, location=self.place, operation="read")
            try:
                raise error
            finally:
                del error  # see the top of the module
        no_code = isinstance(error, _MISSING_CODE) and not own
        kind = SerializationError if no_code else CorruptValueError
        what = "needs code that is not here" if no_code else "cannot be decoded"
        told = str(error) if isinstance(error, HoldallError) else f"{type(error).__name__}: {error}"
        if data is None:
            told = (
                f"{type(self.persister).__name__} gave None, where a backend gives bytes, and raises "
                "KeyError(id) for what is absent"
            )
        location = self.persister.location_of(self.id(key))
        told = f"the value of {shown(key, 120)} in {location} {what}: {told}"
        if Capability.WRITABLE in self.persister.capabilities and kind is CorruptValueError and not own:
            told += ". To be rid of it, store another value under this key, or delete it"
        raise kind(told).about(key=key, location=location, operation="read") from error

    def unwritable(self, key: Any, error: Exception, *, own: bool | None = None) -> NoReturn:
        """Raise why a value was not stored; errors of the user's own functions stay as they are."""
        own = self.own_errors[0] if own is None else own
        if own and not isinstance(error, KeyError):
            try:
                raise error
            finally:
                del error  # see the top of the module
        raise SerializationError(
            f"the value for {shown(key, 120)} was not stored in {self.place}: {error}",
        ).about(key=key, location=self.place, operation="write") from error

    def refuse_value(self, key: Any, value: Any) -> NoReturn:
        """Raise for a value that is not of the type that all values have."""
        raise InvalidArgumentError(
            f"values of this store are {self._types()}, got {type(value).__name__} for {shown(key, 120)}",
        ).about(key=key, location=self.place, operation="write")

    def _types(self) -> str:
        types = self.value_type if isinstance(self.value_type, tuple) else (self.value_type,)
        return " or ".join(getattr(one, "__qualname__", repr(one)) for one in types)


def is_other(error: Exception) -> bool:
    """Return whether an error of holdall is about something other than the data."""
    return isinstance(error, HoldallError) and not isinstance(error, SerializationError | KeyError)


class OtherTypeError(Exception):
    """The type of a value that was read and is not allowed; whoever knows the key reports it."""
