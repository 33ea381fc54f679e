"""Folders with files of other programs: how their names are read, and which files a store does not see."""

import os
import warnings
from collections import Counter
from typing import Any

from holdall.abc import KeyCodec, Reader, Serializer
from holdall.keys._fitting import fitted

__all__ = ["fitted", "keeping_layout", "warn_of_unseen"]

_KINDS = 3  # of files to name in the warning


def keeping_layout(serializer: Serializer[Any], persister: Reader) -> Serializer[Any]:
    """Return a serializer that keeps the layout of JSON files that others wrote."""
    if serializer.name in {"json", "by_suffix"}:
        from holdall.stores._layout import KeepingLayout  # noqa: PLC0415  (needs the format)

        return KeepingLayout(serializer, persister)
    return serializer


def warn_of_unseen(names: list[str], path: str, codec: KeyCodec[Any]) -> None:
    """Warn that a folder contains files, none of which the store sees.

    Parameters
    ----------
    names
        Names of the files.
    path
        The folder.
    codec
        How the store names its own files.
    """
    kinds = Counter(os.path.splitext(name)[1] for name in names).most_common(_KINDS + 1)
    told = ", ".join(
        f"{count:,} {kind!r}" if kind else f"{count:,} without a suffix" for kind, count in kinds[:_KINDS]
    )
    more = ", ..." if len(kinds) > _KINDS else ""
    warnings.warn(
        f"{path!r} holds {len(names):,} files, and this store sees none of them ({told}{more}): its own are "
        f"named by {codec!r}. To see them, give serializer='by_suffix' for known formats, 'bytes' or "
        "'text' for what they hold, or their own suffix",
        UserWarning,
        stacklevel=4,
    )
