"""The key codecs of stores with paths as ids."""

from typing import Any

from holdall.abc import KeyCodec, Serializer
from holdall.errors import InvalidArgumentError
from holdall.keys import PathKeys, as_key_codec

__all__ = ["path_codec"]


def path_codec(
    keys: Any, suffix: str | None, serializer: Serializer[Any], *, hidden: bool = False, encode: str = ""
) -> KeyCodec[Any]:
    """Return the codec of a store with paths as ids.

    Parameters
    ----------
    keys
        None or `str` for text, `tuple` for tuples of text, or anything that `as_key_codec` takes.
    suffix
        The suffix given; None for that of the serializer. Text and bytes have none of their own here, as any
        file may contain them.
    serializer
        How values are written.
    hidden
        Whether names may begin with a dot.
    encode
        More characters to encode.
    """
    if keys is None or keys is str or keys is tuple:
        if suffix is None:
            suffix = "" if serializer.name in {"text", "bytes"} else serializer.suffix
        return PathKeys(suffix=suffix, tuples=keys is tuple, hidden=hidden, encode=encode)
    if suffix is not None:
        raise InvalidArgumentError("give a suffix, or keys that name the files themselves, not both")
    return as_key_codec(keys)
