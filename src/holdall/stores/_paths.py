"""What stores of paths share: how their keys are named."""

from typing import Any

from holdall.abc import KeyCodec
from holdall.errors import InvalidArgumentError
from holdall.keys import PathKeys, as_key_codec

__all__ = ["path_codec"]


def path_codec(
    keys: Any, suffix: str | None, usual: str, *, hidden: bool = False, encode: str = ""
) -> KeyCodec[Any]:
    """Give the codec of a store of paths.

    Parameters
    ----------
    keys
        None or `str` for text, `tuple` for tuples of text, or what `as_key_codec` takes.
    suffix
        That was asked for; None for the usual one.
    usual
        That of the serializer.
    hidden
        Whether names may begin with a dot.
    encode
        More characters to encode.
    """
    if keys is None or keys is str or keys is tuple:
        return PathKeys(
            suffix=usual if suffix is None else suffix, tuples=keys is tuple, hidden=hidden, encode=encode
        )
    if suffix is not None:
        raise InvalidArgumentError("give a suffix, or keys that name the files themselves, not both")
    return as_key_codec(keys)
