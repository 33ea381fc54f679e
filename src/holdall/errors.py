"""All exceptions that holdall raises.

Each leaf is also the built-in exception that a user would catch without knowing holdall::

    HoldallError
     ├─ InvalidKeyError        KeyError, TypeError    the store has no name for such a key
     ├─ InvalidArgumentError   TypeError, ValueError  an option, or the type of a value, is refused
     ├─ SerializationError     ValueError             a value cannot be turned into data, or back
     │   └─ CorruptValueError                         the stored data are not what a serializer wrote
     ├─ MismatchError          ValueError             what is given does not agree with what is there
     ├─ ConflictError          RuntimeError           somebody else changed the item first
     ├─ UnsupportedError       NotImplementedError    this kind of place cannot do that
     │   └─ ReadOnlyError      TypeError              the store is read-only or append-only
     ├─ StoreUnavailableError  OSError                the place does not answer
     │   ├─ StoreNotFoundError FileNotFoundError      there is nothing at that place
     │   ├─ StoreFullError                            no room left; what was stored is untouched
     │   ├─ StoreTimeoutError  TimeoutError           others were in the way for too long: try again
     │   └─ OutcomeUnknownError                       the write may or may not have happened
     ├─ UntrustedStoreError    PermissionError        somebody else could have written what pickle would run
     └─ ValueTooLargeError     ValueError             the value is larger than all that its place may hold

An absent key is a plain ``KeyError`` with the user's key, as from a dict.

The message says what an error is about, as do attributes for programs: ``error.key``, ``error.location`` and
``error.operation``, each None where it does not apply.
"""

from typing import Any, Literal, Self, TypeAlias

__all__ = [
    "ConflictError",
    "CorruptValueError",
    "HoldallError",
    "InvalidArgumentError",
    "InvalidKeyError",
    "MismatchError",
    "OutcomeUnknownError",
    "ReadOnlyError",
    "SerializationError",
    "StoreFullError",
    "StoreNotFoundError",
    "StoreTimeoutError",
    "StoreUnavailableError",
    "UnsupportedError",
    "UntrustedStoreError",
    "ValueTooLargeError",
]


#: The operation that failed.
Operation: TypeAlias = Literal["read", "write", "delete"]


class HoldallError(Exception):
    """Root of all exceptions of holdall.

    Examples
    --------
    >>> from holdall import MemoryStore
    >>> try:
    ...     MemoryStore(serializer="json")["tags"] = {1, 2}
    ... except HoldallError as error:
    ...     error.key, error.location, error.operation
    ('tags', 'a dict in memory', 'write')
    """

    #: The key that it is about, as the user gave it.
    key: Any = None
    #: The operation that failed: ``"read"``, ``"write"`` or ``"delete"``.
    operation: Operation | None = None

    @property
    def location(self) -> str | None:
        """Where the data are: a path or URL, or words such as "a dict in memory"."""
        location: str | None = vars(self).get("_location")
        return getattr(self, "filename", None) if location is None else location

    def about(
        self, *, key: Any = None, location: str | None = None, operation: Operation | None = None
    ) -> Self:
        """Add facts to an error: the key of the outermost caller, and the first location and operation.

        Parameters
        ----------
        key, location, operation
            The facts; None adds nothing.

        Returns
        -------
        HoldallError
            The error itself.

        Examples
        --------
        >>> ReadOnlyError("nothing is written here").about(key="a", operation="write").key
        'a'
        """
        if key is not None:
            self.key = key
        if location is not None and self.location is None:
            self._location = location
        if operation is not None and self.operation is None:
            self.operation = operation
        return self


class InvalidKeyError(HoldallError, KeyError, TypeError):
    """The key has no name in this store: its type or form is not accepted.

    ``in``, ``get`` and ``discard`` return False, the default and False for such a key.

    Examples
    --------
    >>> raise InvalidKeyError("keys of this store are str, got int: 3")
    Traceback (most recent call last):
    ...
    holdall.errors.InvalidKeyError: keys of this store are str, got int: 3
    """

    # KeyError shows the repr of its argument; a message is for reading.
    __str__ = Exception.__str__


class InvalidArgumentError(HoldallError, TypeError, ValueError):
    """An option is not one of those accepted, or a value is not of the type that the store takes."""


class SerializationError(HoldallError, TypeError, ValueError):
    """A value cannot be turned into data, or data cannot be loaded here.

    `json.dumps` and `pickle.dumps` raise a TypeError for most of the former, and a ValueError for the rest.
    """


class CorruptValueError(SerializationError):
    """The stored data are not what the serializer of this store wrote."""


class MismatchError(HoldallError, ValueError):
    """What is given does not agree with what is stored.

    A store was made with another serializer or key codec than it is opened with, or a write-once value was
    written again and differs.
    """


class ValueTooLargeError(HoldallError, ValueError):
    """The value exceeds the limit of its store, or the limit for reading. Nothing is changed."""


class ConflictError(HoldallError, RuntimeError):
    """The item is not in the state that a conditional write expected.

    Parameters
    ----------
    message
        What was attempted, with which key and location.
    actual
        The etag of the item when the write was refused, or ``ITEM_NOT_AVAILABLE``.
    attempts
        How many times the write was tried.
    """

    def __init__(self, message: str, actual: Any = None, attempts: int = 1) -> None:
        super().__init__(message, actual, attempts)
        self.actual = actual
        self.attempts = attempts

    def __str__(self) -> str:
        return str(self.args[0])


class UnsupportedError(HoldallError, NotImplementedError):
    """A store of this kind cannot do what was requested."""


class ReadOnlyError(UnsupportedError, TypeError):
    """The store is read-only, by an option, a wrapper or its persister, or it is append-only."""


class StoreUnavailableError(HoldallError, OSError):
    """The storage of the data does not answer, or refuses."""

    def __str__(self) -> str:
        # Where there is no number of the operating system, "[Errno 0]" would tell nobody anything.
        if self.errno == 0:
            return f"{self.strerror}: {self.filename!r}" if self.filename is not None else f"{self.strerror}"
        return super().__str__()


class StoreNotFoundError(StoreUnavailableError, FileNotFoundError):
    """There is nothing to read at the location."""


class StoreFullError(StoreUnavailableError):
    """There is no room for the value. What was stored before is untouched."""


class StoreTimeoutError(StoreUnavailableError, TimeoutError):
    """Others kept the store locked for too long, or two were in each other's way.

    Nothing is changed, by a transaction neither: it may be tried again from its beginning.
    """


class OutcomeUnknownError(StoreUnavailableError):
    """The answer to a write was lost: it may or may not have happened."""


class UntrustedStoreError(HoldallError, PermissionError):
    """Loading the value could run code that others were able to write."""
