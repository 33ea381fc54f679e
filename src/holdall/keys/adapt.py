"""Codecs made from functions and objects of the user."""

from collections.abc import Callable
from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE, KeyCodec
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys._value import FrozenCodec, named
from holdall.keys.view import IdentityKeys


class _Adapted(FrozenCodec[Any]):
    """Two functions of the user as a codec."""

    _encode: Callable[[Any], Any]
    _decode: Callable[[Any], Any]

    def __init__(self, spec: Any) -> None:
        encode, decode = spec if isinstance(spec, tuple) else (spec.encode, spec.decode)
        self._freeze(spec, _encode=encode, _decode=decode)

    def __repr__(self) -> str:
        spec = self._args[0]
        shown = f"({', '.join(map(named, spec))})" if isinstance(spec, tuple) else named(spec)
        return f"as_key_codec({shown})"

    def encode(self, key: Any) -> Any:
        try:
            return self._encode(key)
        except InvalidKeyError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidKeyError(
                f"{self!r} has no name for {shown(key)} ({type(error).__name__}: {error}): "
                "use a key that it accepts",
            ) from error

    def decode(self, id: str) -> Any:
        try:
            key = self._decode(id)
            # An id whose key does not lead back to it could not be found, or would list a key twice.
            return key if key is NOT_MINE or self._encode(key) == id else NOT_MINE
        except (AttributeError, KeyError, TypeError, ValueError):
            return NOT_MINE


def as_key_codec(spec: Any) -> KeyCodec[Any]:
    """Return a key codec from any of its descriptions.

    Parameters
    ----------
    spec
        None for keys as they are; ``str`` or ``tuple`` for `PathKeys` of text or of tuples of text; a codec;
        the text of a `Template`; an object with ``encode`` and ``decode``; or a pair of such functions. Where
        ``decode`` raises `AttributeError`, `KeyError`, `TypeError` or `ValueError`, or returns a key that
        ``encode`` gives another id, the id is `NOT_MINE`.

    Returns
    -------
    KeyCodec
        The codec.

    Raises
    ------
    InvalidArgumentError
        If `spec` is none of these.

    Examples
    --------
    >>> numbers = as_key_codec((str, int))
    >>> numbers.encode(7), numbers.decode("7"), numbers.decode("x")
    ('7', 7, NOT_MINE)
    >>> as_key_codec("{}.txt")
    Template('{}.txt')
    """
    if spec is None:
        return IdentityKeys()
    if isinstance(spec, KeyCodec):
        return spec
    if spec is str or spec is tuple:
        from holdall.keys.path import PathKeys  # noqa: PLC0415  (rarely needed here)

        return PathKeys(tuples=spec is tuple)
    if isinstance(spec, str):
        from holdall.keys.template import Template  # noqa: PLC0415  (4 ms)

        return Template(spec)
    is_class = isinstance(spec, type) and issubclass(spec, KeyCodec)
    if isinstance(spec, tuple) and len(spec) == 2 and all(map(callable, spec)):
        return _Adapted(spec)
    if not is_class and callable(getattr(spec, "encode", None)) and callable(getattr(spec, "decode", None)):
        return _Adapted(spec)
    hint = ""
    if is_class:
        hint = "; it is a class: call it"
    elif spec is int or spec is float:
        hint = f"; for keys that are {spec.__name__} take AnyKeys(), or (str, {spec.__name__})"
    raise InvalidArgumentError(
        f"no key codec can be made of {type(spec).__name__} {shown(spec)}{hint}. Accepted: None (keys as "
        "they are), str or tuple, a KeyCodec, a template such as '{}.txt', an object with encode and decode, "
        "or a pair (encode, decode) of functions",
    )
