"""Values of several formats in one place: which serializer writes one is told by its id."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from holdall.abc import Capability, KeyedSerializer, PersisterWrapper, Serializer
from holdall.conditional import ANY_ETAG, Expected, Stat
from holdall.errors import CorruptValueError, HoldallError, InvalidKeyError, SerializationError

__all__ = ["KeyedPersister"]


class KeyedPersister(PersisterWrapper):
    """Turns values into data below the store, where the id is known; its data are the values themselves.

    Parameters
    ----------
    inner
        Where the serialized data lie.
    serializer
        Gives the serializer of each id.

    Notes
    -----
    Threads, processes, after a crash: as the inner persister. Cost: that of the serializer, and of choosing
    it. Streams (`reader` and `writer`) are those of the inner persister: of data, not of values.

    Examples
    --------
    >>> from holdall.persisters.mapping import MappingPersister
    >>> from holdall.serializers import by_suffix
    >>> place = KeyedPersister(MappingPersister({}), by_suffix())
    >>> place["a.json"], place["a.txt"] = [1], "[1]"
    >>> place["a.json"], place.inner["a.json"], place["a.txt"]
    ([1], b'[1]', '[1]')
    """

    def __init__(self, inner: Any, serializer: KeyedSerializer[Any]) -> None:
        super().__init__(inner)
        self.serializer = serializer

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """What the inner persister claims, but for what is about bytes."""
        return super().capabilities - {Capability.BYTES, Capability.STREAMING}

    def _of(self, id: Any) -> Serializer[Any]:
        if not isinstance(id, str):
            raise InvalidKeyError(f"{self.serializer!r} chooses by text, got {type(id).__name__}: {id!r:.80}")
        return self.serializer.for_id(id)

    def _load(self, id: str, serializer: Serializer[Any], data: Any) -> Any:
        try:
            if isinstance(data, bytes) or not hasattr(data, "readinto"):
                return serializer.loads(data)
            with data:
                return serializer.load(data)
        except Exception as error:
            if isinstance(error, HoldallError) and not isinstance(error, SerializationError | KeyError):
                raise
            missing = isinstance(error, ImportError | AttributeError)
            kind = SerializationError if missing else CorruptValueError
            what = "needs code that is not here" if missing else "cannot be decoded"
            told = str(error) if isinstance(error, HoldallError) else f"{type(error).__name__}: {error}"
            raise kind(f"the value of {id!r:.120} in {self.place} {what}: {told}") from error

    def _data(self, id: str, value: Any) -> Any:
        serializer = self._of(id)
        # As in a store: pieces are for places that write or join them; a mapping would keep the list.
        in_pieces = Capability.STREAMING in self.inner.capabilities
        try:
            return serializer.parts(value) if in_pieces else serializer.dumps(value)
        except Exception as error:
            if isinstance(error, HoldallError) and not isinstance(error, SerializationError | KeyError):
                raise
            raise SerializationError(
                f"the value for {id!r:.120} was not stored in {self.place}: {error}",
            ) from error

    # ------------------------------------------------------------------ reading

    def __getitem__(self, id: str) -> Any:
        serializer = self._of(id)
        limit = serializer.stream_from
        return self._load(id, serializer, self.inner[id] if limit is None else self.inner.fetch(id, limit))

    def read(self, id: str) -> tuple[Any, Stat]:  # docstring inherited
        serializer = self._of(id)
        data, stat = self.inner.read(id)
        return self._load(id, serializer, data), stat

    def reader(self, id: str) -> BinaryIO:  # docstring inherited
        return self.inner.reader(id)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------ writing

    def put(self, id: str, data: Any) -> None:  # docstring inherited
        self._writable().put(id, self._data(id, data))

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        return self._writable().write(id, self._data(id, data), expected)  # type: ignore[no-any-return]

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:  # docstring inherited
        self._writable().write_many(self._serialized(items))

    def _serialized(self, items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        for id, value in items:
            yield id, self._data(id, value)

    @contextmanager
    def writer(self, id: str) -> Iterator[BinaryIO]:  # docstring inherited
        with self._writable().writer(id) as file:
            yield file
