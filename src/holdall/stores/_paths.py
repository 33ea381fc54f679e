"""What stores of paths share: how their keys are named."""

from typing import Any

from holdall.abc import KeyCodec, Serializer
from holdall.errors import InvalidArgumentError
from holdall.keys import PathKeys, as_key_codec

__all__ = ["path_codec"]


def path_codec(
    keys: Any,
    suffix: str | None,
    serializer: Serializer[Any],
    *,
    hidden: bool = False,
    fold_case: bool = False,
    encode: str = "",
) -> KeyCodec[Any]:
    """Give the codec of a store of paths.

    Parameters
    ----------
    keys
        None or `str` for text, `tuple` for tuples of text, or what `as_key_codec` takes.
    suffix
        That was asked for; None for that of the serializer. Text and bytes have none of their own here:
        they are what any file holds.
    serializer
        How values are written.
    hidden
        Whether names may begin with a dot.
    fold_case
        Whether to encode upper case.
    encode
        More characters to encode.
    """
    if keys is None or keys is str or keys is tuple:
        if suffix is None:
            suffix = "" if serializer.name in {"text", "bytes"} else serializer.suffix
        return PathKeys(
            suffix=suffix, tuples=keys is tuple, hidden=hidden, fold_case=fold_case, encode=encode
        )
    if suffix is not None:
        raise InvalidArgumentError("give a suffix, or keys that name the files themselves, not both")
    return as_key_codec(keys)
