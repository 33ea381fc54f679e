"""Keys as they are, and keys relative to a prefix."""

from collections.abc import Iterable, Mapping
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE, KeyCodec
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._value import FrozenCodec


class IdentityKeys(FrozenCodec[Any]):
    """Keys as they are, for persisters in memory, where any hashable object is an id.

    Notes
    -----
    Cost: a call. For a persister with `str` ids, use `PathKeys` or `AnyKeys`.

    Examples
    --------
    >>> IdentityKeys().encode(("any", 1))
    ('any', 1)
    """

    def __init__(self) -> None:
        self._freeze()

    def encode(self, key: Any) -> Any:  # docstring inherited
        return key

    def decode(self, id: Any) -> Any:  # docstring inherited
        return id


class Under(FrozenCodec[Any]):
    """The keys below a prefix of another codec's keys, relative to it.

    Parameters
    ----------
    codec
        The codec of the whole keys.
    prefix
        A `str`, to which keys are joined by "/"; a tuple, to which they are appended; or a dict, with which
        they are merged.

    Raises
    ------
    InvalidKeyError
        If the prefix is none of these.

    Examples
    --------
    >>> from holdall.keys import PathKeys
    >>> theme = Under(PathKeys(suffix=".json"), "theme")
    >>> theme.encode("dark"), theme.decode("theme/dark.json"), theme.decode("theme.json")
    ('theme/dark.json', 'dark', NOT_MINE)
    """

    codec: KeyCodec[Any]
    prefix: Any
    #: Whether keys are tuples.
    tuples: bool
    _text_only: bool

    def __init__(self, codec: KeyCodec[Any], prefix: str | tuple[Any, ...] | Mapping[str, Any]) -> None:
        if not isinstance(codec, KeyCodec):
            raise InvalidArgumentError(f"Under takes a key codec, as PathKeys(), got {shown(codec)}")
        if isinstance(prefix, str):
            prefix = str.__str__(prefix)
            if getattr(codec, "tuples", False):  # where text means a tuple of one
                prefix = (prefix,)
        elif isinstance(prefix, tuple):
            prefix = tuple(prefix)
        elif isinstance(prefix, Mapping):
            prefix = dict(prefix)
        else:
            raise InvalidKeyError(
                f"a prefix of keys is a str, a tuple or a dict, got {type(prefix).__name__}: "
                f"{shown(prefix)}; keys of other types have nothing below them",
            )
        self._freeze(
            codec,
            prefix,
            codec=codec,
            prefix=prefix,
            tuples=isinstance(prefix, tuple),
            reversible=codec.reversible,
            _text_only=all(type(part) is str for part in _parts(prefix)),
        )

    def _join(self, key: Any) -> Any:
        prefix = self.prefix
        if isinstance(prefix, str):
            if isinstance(key, str):
                return f"{prefix}/{str.__str__(key)}"
            raise InvalidKeyError(
                f"keys below {shown(prefix)} are str, got {type(key).__name__}: {shown(key)}; "
                "take the keys of the whole store for others",
            )
        if isinstance(prefix, dict):
            if isinstance(key, Mapping) and key and prefix.keys().isdisjoint(key):
                return {**prefix, **key}
            raise InvalidKeyError(f"keys below {shown(prefix)} are dicts of other fields, got {shown(key)}")
        if key == () and isinstance(key, tuple):
            raise InvalidKeyError(f"the empty tuple is not below {shown(prefix)}: give one element or more")
        return prefix + (tuple(key) if isinstance(key, tuple | list) else (key,))

    def encode(self, key: Any) -> str:  # docstring inherited
        return self.codec.encode(self._join(key))

    def decode(self, id: str) -> Any:  # docstring inherited
        key = self.codec.decode(id)
        prefix = self.prefix
        length = len(prefix)
        if isinstance(prefix, str):
            if isinstance(key, str) and key.startswith(prefix) and key[length : length + 1] == "/":
                return key[length + 1 :]
            return NOT_MINE
        if isinstance(prefix, dict):
            if not isinstance(key, Mapping) or len(key) <= length or not prefix.items() <= key.items():
                return NOT_MINE
            rest = {name: value for name, value in key.items() if name not in prefix}
            return rest if self._text_only or self.codec.encode({**prefix, **rest}) == id else NOT_MINE
        if not isinstance(key, tuple) or len(key) <= length or key[:length] != prefix:
            return NOT_MINE
        # (1,) equals (True,), but the codec may distinguish them.
        if not self._text_only and self.codec.encode(prefix + key[length:]) != id:
            return NOT_MINE
        return key[length:]

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        whole = prefix in ((), {}) and not isinstance(self.prefix, str)
        return self.codec.id_prefix(self.prefix if whole else self._join(prefix))


def _parts(prefix: Any) -> Iterable[Any]:
    return prefix.values() if isinstance(prefix, dict) else prefix
