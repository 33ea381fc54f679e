"""The key codecs of stores with paths as ids."""

import itertools
from typing import Any, Final

from holdall.abc import NOT_MINE, KeyCodec, Reader, Serializer
from holdall.errors import HoldallError, InvalidArgumentError
from holdall.keys import PathKeys, as_key_codec

__all__ = ["LOOKED_AT", "fitted_to", "path_codec"]

#: Names that are looked at when a place of others is opened: about 10 ms.
LOOKED_AT: Final = 10_000


def path_codec(
    keys: Any,
    suffix: str | None,
    serializer: Serializer[Any],
    *,
    hidden: bool = False,
    fold_case: bool = False,
    encode: str = "",
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
    fold_case
        Whether to encode upper case.
    encode
        More characters to encode.

    Raises
    ------
    InvalidArgumentError
        If the suffix has lost its dot, or there are keys that name the files themselves.
    """
    if keys is None or keys is str or keys is tuple:
        if suffix is None:
            suffix = "" if serializer.name in {"text", "bytes"} else serializer.suffix
        elif suffix.isalnum():
            raise InvalidArgumentError(
                f"a suffix follows the key as it is, so {suffix!r} would make 'key{suffix}' of 'key': write "
                f"'.{suffix}', or keys=PathKeys(suffix={suffix!r}) if that is meant"
            )
        return PathKeys(
            suffix=suffix, tuples=keys is tuple, hidden=hidden, fold_case=fold_case, encode=encode
        )
    if suffix is not None:
        raise InvalidArgumentError("give a suffix, or keys that name the files themselves, not both")
    return as_key_codec(keys)


def fitted_to(place: Reader, codec: KeyCodec[Any]) -> KeyCodec[Any]:
    """Return the codec that reads most of the names in an archive that others may have made.

    Parameters
    ----------
    place
        The archive. One that cannot be read keeps the codec: its first use tells what is wrong.
    codec
        What was asked for.
    """
    try:
        names = list(itertools.islice(place, LOOKED_AT))
    except (HoldallError, OSError):
        return codec
    if NOT_MINE not in map(codec.decode, names):
        return codec
    from holdall.keys._fitting import fitted  # noqa: PLC0415  (seldom needed)

    return fitted(codec, names)
