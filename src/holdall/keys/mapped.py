"""Names from a table."""

from collections.abc import Mapping
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._value import FrozenCodec

__all__ = ["MappedKeys"]


class MappedKeys(FrozenCodec[Any]):
    """Keys named by a table; there are no others.

    Parameters
    ----------
    names
        The id of each key.

    Raises
    ------
    InvalidArgumentError
        If it is not a mapping, or two keys have one id.

    Notes
    -----
    Threads and processes: immutable; later changes of `names` have no effect. Cost: a look-up in a dict.

    Examples
    --------
    >>> keys = MappedKeys({"train": "data/2024_train_v3.csv", "test": "data/2024_test_v1.csv"})
    >>> keys.encode("train"), keys.decode("data/2024_test_v1.csv"), keys.decode("data/README")
    ('data/2024_train_v3.csv', 'test', NOT_MINE)
    """

    _ids: dict[Any, Any]
    _keys: dict[Any, Any]

    def __init__(self, names: Mapping[Any, Any]) -> None:
        given: Any = names
        if not isinstance(given, Mapping):
            raise InvalidArgumentError(f"MappedKeys takes a dict of ids by key, got {shown(names)}")
        ids = dict(names)
        keys = {id: key for key, id in ids.items()}
        if len(keys) < len(ids):
            twice = next(key for key, id in ids.items() if keys[id] != key)
            raise InvalidArgumentError(
                f"two keys of MappedKeys have the id {shown(ids[twice])}: give each its own"
            )
        self._freeze(ids, _ids=ids, _keys=keys)

    def encode(self, key: Any) -> Any:  # docstring inherited
        try:
            return self._ids[key]
        except (KeyError, TypeError):
            raise InvalidKeyError(
                f"{shown(key)} is none of the {len(self._ids)} keys of MappedKeys"
            ) from None

    def decode(self, id: Any) -> Any:  # docstring inherited
        try:
            return self._keys.get(id, NOT_MINE)
        except TypeError:
            return NOT_MINE
