"""How values become data."""

from abc import ABC, abstractmethod
from typing import BinaryIO, Generic, TypeVar

from holdall.abc.capability import Data
from holdall.errors import UnsupportedError

__all__ = ["KeyedSerializer", "Serializer"]

V = TypeVar("V")


class Serializer(ABC, Generic[V]):
    """How values become data and back.

    Examples
    --------
    >>> class Hex(Serializer[int]):
    ...     name, suffix = "hex", ".hex"
    ...     def dumps(self, value): return b"%x" % value
    ...     def loads(self, data): return int(data, 16)
    >>> Hex().loads(Hex().dumps(255))
    255
    """

    #: The name that a store records, and compares when it is opened again.
    name: str = ""
    #: File suffix with its dot.
    suffix: str = ""
    #: Whether loading can run code named in the data: then owner and mode of files are checked.
    executes_code: bool = False
    #: Size in bytes from which `load` from a file is faster than `loads`; None if it never is.
    stream_from: int | None = None

    @abstractmethod
    def dumps(self, value: V) -> bytes:
        """Return the data of a value.

        Raises
        ------
        SerializationError
            If the value cannot be written, or would not come back equal.
        """

    @abstractmethod
    def loads(self, data: bytes) -> V:
        """Return the value of data; any exception means that the data are corrupt."""

    def parts(self, value: V) -> Data:
        """Return the data of a value in pieces, without copying large buffers.

        The pieces may be views of the value: write them before it changes.
        """
        return self.dumps(value)

    def filler(self, nonce: bytes) -> bytes | None:
        """Return bytes that loading ignores after the data of any value; None if there are none.

        Persisters whose versions are digests of the data append some, so that equal values written twice are
        two versions. Other programs must read the same value from the data with them.

        Parameters
        ----------
        nonce
            Random bytes; others return another filler.

        Examples
        --------
        >>> from holdall.serializers import get_serializer
        >>> json = get_serializer("json")
        >>> json.loads(json.dumps([1]) + json.filler(b"8 random"))
        [1]
        >>> get_serializer("text").filler(b"8 random") is None
        True
        """
        del nonce
        return None

    def dump(self, value: V, file: BinaryIO) -> None:
        """Write a value to a binary file."""
        data = self.parts(value)
        if isinstance(data, list):
            file.writelines(data)
        else:
            file.write(data)

    def load(self, file: BinaryIO) -> V:
        """Read a value from a binary file."""
        return self.loads(file.read())

    def __repr__(self) -> str:
        return f"<serializer {self.name}>"


class KeyedSerializer(Serializer[V]):
    """A family of serializers: the id chooses which one writes a value.

    A store asks it for the serializer of each id, and never for data. Stores without one pay nothing.

    Examples
    --------
    >>> from holdall.serializers import get_serializer
    >>> class Notes(KeyedSerializer):
    ...     name = "notes"
    ...     def for_id(self, id):
    ...         return get_serializer("text" if id.startswith("notes/") else "json")
    >>> from holdall import Store
    >>> store = Store(serializer=Notes())
    >>> store.update({"notes/a": "[]", "b": []})
    >>> store["notes/a"], store["b"]
    ('[]', [])
    """

    @abstractmethod
    def for_id(self, id: str) -> Serializer[V]:
        """Return the serializer of an id.

        Raises
        ------
        UnsupportedError
            If no value can be kept under such an id.
        """

    def runs_code(self, id: str) -> bool:
        """Return whether loading the data of an id can run code named in them."""
        try:
            return self.for_id(id).executes_code
        except UnsupportedError:
            return False  # nothing will be loaded

    def dumps(self, value: V) -> bytes:  # docstring inherited
        raise UnsupportedError(f"{self!r} cannot write {type(value).__name__} without an id: ask for_id(id)")

    def loads(self, data: bytes) -> V:  # docstring inherited
        raise UnsupportedError(f"{self!r} cannot read {len(data)} bytes without an id: ask for_id(id)")
