"""A store in a collection of MongoDB."""

import json
from collections.abc import Iterable
from typing import Any

from holdall._options import given, not_imported
from holdall._shown import shown
from holdall.abc import NOT_MINE, KeyCodec
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys import as_key_codec
from holdall.serializers import get_serializer
from holdall.store import Store
from holdall.store._place import under
from holdall.store._typing import K, V

__all__ = ["MongoStore"]


_MOST = 1 << 63  # numbers of BSON are below it


class MongoStore(Store[K, V]):
    """A collection of MongoDB as a dict, shared by any number of machines.

    Parameters
    ----------
    collection
        A collection of pymongo, or its URL, ``mongodb://host/database.collection``. A store that is sent to
        other processes needs the URL.
    key_fields
        Names of the fields of a key: keys are tuples of as many texts and whole numbers, or a single one for
        a single name. Documents contain them beside the value, so that others can query them. None for keys
        named by `keys`.
    serializer
        How values are written: a name such as ``"json"``, a `Serializer`, or anything with ``dumps`` and
        ``loads``. ``"pickle"`` runs code from the server: only for servers to which nobody else can write.
    keys
        How keys are named: None for text as it is; a `KeyCodec`, the text of a `Template`, or a pair of
        functions.
    value_type
        A class or a tuple of classes that all values must be instances of.
    append_only
        Whether items can only be added.

    Raises
    ------
    InvalidArgumentError
        If an option is invalid.
    UnsupportedError
        If the package pymongo is not installed.

    Notes
    -----
    Making a store sends nothing. Threads, processes, machines: any number; each conditional operation is one
    command on one document, plain writes included. A write whose answer is lost counts once, or raises
    `OutcomeUnknownError`. After a crash: writes wait for a majority of the servers, unless the collection has
    its own write concern; see `durability`. Cost: one round trip per operation; `update`, `items` and
    `values` send 500 documents at once. A document has at most 16 MB. The tests of holdall run on mongomock
    and on SecantusDB, not on MongoDB itself.

    Examples
    --------
    >>> store = MongoStore("mongodb://localhost/lab.runs", key_fields=("user", "day"))
    >>> store.key_fields, store.serializer.name
    (('user', 'day'), 'json')
    """

    def __init__(
        self,
        collection: Any,
        *,
        key_fields: str | Iterable[str] | None = None,
        serializer: Any = "json",
        keys: Any = None,
        value_type: type | tuple[type, ...] | None = None,
        append_only: bool = False,
    ) -> None:
        options = given(locals())
        try:
            from holdall.persisters.mongo import MongoPersister  # noqa: PLC0415  (an extra)
        except ImportError as error:
            raise not_imported("MongoStore", error, "mongo") from error
        if key_fields is not None and keys is not None:
            raise InvalidArgumentError(
                "give key_fields=, or keys that name the documents themselves, not both"
            )
        persister = MongoPersister(collection, key_fields=key_fields)
        self._params = {**options, "collection": persister.place.removeprefix("collection ")}
        self._assemble(
            persister,
            as_key_codec(keys) if persister.key_fields is None else _FieldKeys(persister.key_fields),
            get_serializer(serializer),
            value_type=value_type,
            append_only=append_only,
        )

    @property
    def key_fields(self) -> tuple[str, ...] | None:
        """Names of the fields of a key; None if keys are named otherwise."""
        fields: tuple[str, ...] | None = under(self)[0].key_fields
        return fields

    def durability(self) -> dict[str, Any]:
        """Return what a write waits for before it returns.

        Returns
        -------
        dict
            ``w``: ``"majority"``, or a number of servers; ``j``: whether these have it in their log.
        """
        return dict(under(self)[0].durability())


class _FieldKeys(KeyCodec[Any]):
    """Keys of one or several fields, named by a JSON list of them."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields

    def encode(self, key: Any) -> str:
        parts = (key,) if len(self.fields) == 1 else key
        if type(parts) is not tuple or len(parts) != len(self.fields) or not all(map(_is_part, parts)):
            what = "text or a whole number" if len(self.fields) == 1 else "a tuple of text and whole numbers"
            raise InvalidKeyError(f"a key is {what}, for {', '.join(self.fields)}, got {shown(key)}")
        return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))

    def decode(self, id: str) -> Any:
        try:
            parts = json.loads(id)
        except ValueError:
            return NOT_MINE
        if type(parts) is not list or len(parts) != len(self.fields) or not all(map(_is_part, parts)):
            return NOT_MINE
        key = parts[0] if len(parts) == 1 else tuple(parts)
        return key if self.encode(key) == id else NOT_MINE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FieldKeys) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)


def _is_part(part: Any) -> bool:
    return type(part) is str or (type(part) is int and -_MOST <= part < _MOST)
