"""A persister over a collection of MongoDB: one document per id, with a version."""

import itertools
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pymongo import UpdateOne, errors
from pymongo.collection import Collection

from holdall._options import check_bytes
from holdall._shown import shown
from holdall.abc import Capability, VersionedPersister, conflict, join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Etag, Expected, Stat
from holdall.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    MismatchError,
    OutcomeUnknownError,
    StoreUnavailableError,
    ValueTooLargeError,
)
from holdall.persisters.mongo._collection import LOST, Opened, translating

__all__ = ["MongoPersister"]

_OURS: Final = frozenset({"_id", "version", "mtime", "size", "data"})
_WRITTEN_HERE: Final = {name: {"$exists": True} for name in ("version", "mtime", "size", "data")}
_HEAD: Final = {"version": 1, "mtime": 1, "size": 1}
_LARGEST: Final = (16 << 20) - (16 << 10)  # bytes of a document, without the names of its fields
_PAGE: Final = 500  # documents per request
_BATCH_BYTES: Final = 32 << 20  # sent at once
_TRIES: Final = 5  # if others insert the same id meanwhile
_DUPLICATE: Final = 11000


class MongoPersister(VersionedPersister):
    """A collection of MongoDB, in which each document has an id, its data, their version, size and time.

    Parameters
    ----------
    target
        The URL ``mongodb://host/database.collection``, or a collection of pymongo.
    key_fields
        Names of fields for the parts of an id, which is then a JSON list, so that others can query them; None
        for ids of any kind.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.

    Notes
    -----
    Threads, processes, machines: each write is one command on one document, whose filter compares the version
    where one is expected, so that compare-and-swap is as linearizable as commands of MongoDB on a document. A
    write carries a random version: if its answer is lost, that version is looked for, so that it counts once,
    or raises `OutcomeUnknownError`. After a crash: writes wait for a majority of the servers and their logs,
    unless the collection has its own write concern. Cost: one round trip per operation; bulk operations and
    listings use batches of 500 documents.

    There is no MongoDB in the tests of holdall: they run on mongomock, a single process in memory, and by
    hand on a server that speaks its protocol.
    """

    capabilities = frozenset(
        {
            Capability.WRITABLE,
            Capability.PERSISTENT,
            Capability.BYTES,
            Capability.MTIME,
            Capability.CHEAP_STAT,
            Capability.CAS_THREADS,
            Capability.CAS_HOST,
            Capability.CAS_WORLD,
        }
    )
    bulk = True

    def __init__(self, target: Any, *, key_fields: Iterable[str] | None = None) -> None:
        self.key_fields = None if key_fields is None else _checked(key_fields)
        self._opened = Opened(target)
        self._simple = False  # whether ids are known to be compared exactly

    def __reduce__(self) -> tuple[Any, ...]:
        self._opened.__reduce__()  # raises for what cannot be pickled
        return _reopen, (type(self), self._opened.target, self.key_fields)

    @property
    def place(self) -> str:  # docstring inherited
        return self._opened.place

    def _collection(self) -> Any:
        if self._simple:
            return self._opened.get()
        with translating("the collection cannot be looked at", self.place):
            collection = self._opened.get()
            fakes = not isinstance(collection, Collection)  # they know no options
            collation = {} if fakes else collection.options().get("collation") or {}
        if collation.get("locale", "simple") != "simple":
            raise MismatchError(
                f"{self.place} was made with the collation {collation['locale']!r}, which takes different "
                "keys for one: give a collection without a collation"
            )
        self._simple = True
        return collection

    # ------------------------------------------------------------------ reading

    def _one(self, id: str, fields: dict[str, int]) -> dict[str, Any]:
        _check_id(id, KeyError)
        collection = self._collection()
        with translating(f"{shown(id)} cannot be read", self.place):
            found = collection.find_one({"_id": id}, fields)
        if found is None:
            raise KeyError(id)
        return self._ours(found)

    def _ours(self, found: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(found.get("version"), str):
            raise MismatchError(
                f"the document {shown(found.get('_id'))} in {self.place} was not written by holdall"
            )
        return found

    def read(self, id: str) -> tuple[bytes, Stat]:  # docstring inherited
        found = self._one(id, {**_HEAD, "data": 1})
        return bytes(found["data"]), _stat(found)

    def stat(self, id: str) -> Stat:  # docstring inherited
        return _stat(self._one(id, _HEAD))

    def __contains__(self, id: object) -> bool:
        try:
            _check_id(id, KeyError)
        except KeyError:
            return False
        collection = self._collection()
        with translating(f"{shown(id)} cannot be looked for", self.place):
            return collection.find_one({"_id": id}, {"_id": 1}) is not None

    # ------------------------------------------------------------------ listing

    def _listed(self, prefix: str, fields: dict[str, int]) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of documents in the order of ids, each as of its request."""
        if not _can_be_sent(prefix):
            return
        span: dict[str, Any] = {"$gte": prefix}
        end = _successor(prefix)
        if end is not None:
            span["$lt"] = end
        collection = self._collection()
        while True:
            with translating("the keys cannot be listed", self.place):
                page = list(collection.find({"_id": span}, fields).sort("_id", 1).limit(_PAGE))
            if page:
                yield page
            if len(page) < _PAGE:
                return
            span = {**span, "$gt": page[-1]["_id"]}
            span.pop("$gte", None)

    def ids(self, prefix: str = "") -> Iterator[str]:  # docstring inherited
        return itertools.chain.from_iterable(self.pages(prefix))

    def pages(self, prefix: str = "") -> Iterator[list[str]]:  # docstring inherited
        for page in self._listed(prefix, {"_id": 1}):
            yield [found["_id"] for found in page]

    def scan(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:  # docstring inherited
        for page in self._listed(prefix, _HEAD):
            for found in page:
                yield found["_id"], _stat(self._ours(found))

    def contents(
        self, prefix: str = "", limit: int | None = None
    ) -> Iterator[list[tuple[str, Any]]] | None:  # docstring inherited
        del limit
        return (
            [(found["_id"], bytes(self._ours(found)["data"])) for found in page]
            for page in self._listed(prefix, {"version": 1, "data": 1})
        )

    def read_many(self, ids: Iterable[str]) -> Iterator[tuple[str, Any]]:  # docstring inherited
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, _PAGE)):
            asked = [id for id in batch if _can_be_sent(id)]
            collection = self._collection()
            with translating("items cannot be read", self.place):
                found = list(collection.find({"_id": {"$in": asked}}, {"version": 1, "data": 1}))
            data = {one["_id"]: bytes(self._ours(one)["data"]) for one in found}
            yield from ((id, data[id]) for id in batch if id in data)

    # ------------------------------------------------------------------ writing

    def _fields(self, id: Any, data: Any) -> dict[str, Any]:
        """Return the fields of a document, with a unique version."""
        _check_id(id, InvalidKeyError)
        check_bytes(id, data)
        whole = bytes(join_parts(data))
        if len(whole) + 5 * len(id) * 4 > _LARGEST:
            raise ValueTooLargeError(
                f"the data for {shown(id)} have {len(whole):,} bytes, and a document of MongoDB takes "
                f"{_LARGEST:,} at most, with its key"
            )
        fields: dict[str, Any] = {}
        if self.key_fields is not None:
            fields.update(zip(self.key_fields, _parts(id, len(self.key_fields)), strict=True))
        return fields | {
            "version": secrets.token_hex(12),
            "mtime": time.time(),
            "size": len(whole),
            "data": whole,
        }

    def write(self, id: str, data: Any, expected: Expected = ANY_ETAG) -> Stat:  # docstring inherited
        fields = self._fields(id, data)
        collection = self._collection()
        try:
            with translating(f"{shown(id)} was not written", self.place, writes=True):
                done = self._send(collection, id, fields, expected)
        except OutcomeUnknownError as unknown:
            if not isinstance(unknown.__cause__, LOST) or not self._has(id, fields["version"]):
                raise
            done = True  # only the answer was lost
        if not done:
            raise conflict(self, id, expected, self._etag(id))
        return _stat(fields)

    def _send(self, collection: Any, id: str, fields: dict[str, Any], expected: Expected) -> bool:
        """Write a document that is in the expected state; return whether it was."""
        if expected is ITEM_NOT_AVAILABLE:
            try:
                collection.insert_one({"_id": id, **fields})
            except errors.DuplicateKeyError as error:
                return self._is_ours(collection, id, fields, error)
            return True
        if expected is not ANY_ETAG:
            wanted = {"_id": id, "version": str(expected)}
            change = {"$set": fields}
            return collection.find_one_and_update(wanted, change, {"_id": 1}) is not None
        for attempt in range(_TRIES):
            try:
                collection.update_one({"_id": id}, {"$set": fields}, upsert=True)
            except errors.DuplicateKeyError:  # one of two concurrent inserts fails so
                if attempt == _TRIES - 1:
                    raise
            else:
                break
        return True

    def _is_ours(self, collection: Any, id: str, fields: dict[str, Any], error: Exception) -> bool:
        """Return whether the existing document is the one we sent the first time."""
        found = collection.find_one({"_id": id}, {"version": 1})
        if found is None:
            found = {}  # deleted again
        elif "_id" not in (getattr(error, "details", None) or {}).get("keyPattern", {"_id": 1}):
            raise error  # another unique index of the collection
        return bool(found.get("version") == fields["version"])

    def _has(self, id: str, version: str) -> bool:
        """Return whether a document is known to have a version."""
        try:
            return self._etag(id) == version
        except StoreUnavailableError:
            return False

    def _etag(self, id: str) -> Etag:
        try:
            return self.stat(id).etag
        except KeyError:
            return ITEM_NOT_AVAILABLE

    def remove(self, id: str, expected: Expected = ANY_ETAG) -> None:  # docstring inherited
        _check_id(id, KeyError)
        if expected is ITEM_NOT_AVAILABLE:
            actual = self._etag(id)
            if actual is ITEM_NOT_AVAILABLE:
                raise KeyError(id)
            raise conflict(self, id, expected, actual)
        wanted = {"_id": id} if expected is ANY_ETAG else {"_id": id, "version": str(expected)}
        collection = self._collection()
        with translating(f"{shown(id)} was not deleted", self.place, writes=True):
            deleted = collection.delete_one(wanted).deleted_count
        if deleted:
            return
        if expected is ANY_ETAG:
            raise KeyError(id)
        raise conflict(self, id, expected, self._etag(id))

    def write_many(self, items: Iterable[tuple[str, Any]]) -> None:
        """Store several items, up to 500 at once; what was stored before an error stays stored."""
        batch: dict[str, dict[str, Any]] = {}
        size = 0
        for id, data in items:
            batch[id] = fields = self._fields(id, data)
            size += fields["size"]
            if len(batch) == _PAGE or size > _BATCH_BYTES:
                self._send_many(batch)
                batch, size = {}, 0
        if batch:
            self._send_many(batch)

    def _send_many(self, batch: dict[str, dict[str, Any]]) -> None:
        requests = [UpdateOne({"_id": id}, {"$set": fields}, upsert=True) for id, fields in batch.items()]
        collection = self._collection()
        with translating(f"not all of {len(batch)} items were written", self.place, writes=True):
            for attempt in range(_TRIES):
                try:
                    collection.bulk_write(requests, ordered=False)
                except errors.BulkWriteError as error:
                    failed = error.details.get("writeErrors", [])
                    codes = {one.get("code") for one in failed}
                    if attempt == _TRIES - 1 or codes != {_DUPLICATE}:
                        raise
                    requests = [requests[one["index"]] for one in failed]
                else:
                    return

    def remove_many(self, ids: Iterable[str]) -> None:
        """Delete several items, 500 at once; documents that holdall did not write are left where they are."""
        waiting = iter(ids)
        while batch := list(itertools.islice(waiting, _PAGE)):
            asked = [id for id in batch if _can_be_sent(id)]
            collection = self._collection()
            with translating(f"not all of {len(batch)} items were deleted", self.place, writes=True):
                collection.delete_many({"_id": {"$in": asked}, **_WRITTEN_HERE})

    # ------------------------------------------------------------------ upkeep

    def durability(self) -> dict[str, Any]:
        """Return what a write waits for before it returns.

        Returns
        -------
        dict
            ``w``: ``"majority"``, or a number of servers; ``j``: whether these have it in their log.
        """
        chosen = self._opened.get().write_concern.document
        return {"w": chosen.get("w", 1), "j": chosen.get("j", False)}

    def close(self) -> None:
        """Close the connections, if the collection was named by a URL; the next use opens new ones."""
        self._opened.close()


def _checked(fields: Any) -> tuple[str, ...]:
    names = (fields,) if isinstance(fields, str) else tuple(fields)
    for name in names:
        if not isinstance(name, str) or not name or name[0] == "$" or "." in name or "\0" in name:
            raise InvalidArgumentError(f"key_fields= are names of fields, as text, got {shown(name)}")
        if name == "_id":
            raise InvalidArgumentError(
                "key_fields= cannot have '_id', which holds the whole key and makes it unique: leave them "
                "out for keys of one text, or name the parts otherwise, such as 'id'"
            )
        if name in _OURS:
            raise InvalidArgumentError(
                f"key_fields= cannot have {name!r}, a field of holdall's own: name the part otherwise"
            )
    if not names or len(set(names)) < len(names):
        raise InvalidArgumentError(f"key_fields= are one or several names, each once, got {shown(fields)}")
    return names


def _parts(id: str, count: int) -> list[Any]:
    """Return the values of the fields of a key."""
    try:
        parts = json.loads(id)
    except ValueError:
        parts = None
    if not isinstance(parts, list) or len(parts) != count:
        raise InvalidKeyError(f"{shown(id)} is no list of {count} parts, one for each of key_fields=")
    return parts


def _can_be_sent(id: Any) -> bool:
    """Return whether BSON can contain a text."""
    try:
        return isinstance(id, str) and bool(id.encode() or True)
    except UnicodeEncodeError:  # lone surrogates
        return False


def _check_id(id: Any, error: type[KeyError]) -> None:
    if not isinstance(id, str):
        raise InvalidKeyError(f"ids are str, got {type(id).__name__}: {shown(id)}")
    if not _can_be_sent(id):
        raise error(id if error is KeyError else f"MongoDB takes text that UTF-8 has, got {shown(id)}")


def _stat(found: dict[str, Any]) -> Stat:
    return Stat(found["version"], found["mtime"], found["size"])


def _successor(prefix: str) -> str | None:
    """Return the first text after all that start with a prefix; None if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if code <= 0x10FFFF:
            return prefix[:at] + chr(0xE000 if 0xD800 <= code < 0xE000 else code)
    return None


def _reopen(cls: type[MongoPersister], target: Any, key_fields: Any) -> MongoPersister:
    return cls(target, key_fields=key_fields)
