"""Codecs for names that others have given."""

from collections.abc import Iterable
from typing import Any

from holdall.abc import NOT_MINE, KeyCodec
from holdall.keys.affix import Suffix
from holdall.keys.path import PathKeys
from holdall.keys.template import Template

__all__ = ["fitted"]


def fitted(codec: KeyCodec[Any], names: Iterable[str], recorded: Any = None) -> KeyCodec[Any]:
    """Return a codec that reads more of some names, and all others as the given one does.

    Parameters
    ----------
    codec
        The requested codec. `PathKeys` would encode some of the characters in names that others gave: then
        names are taken as they are. ``{:d}`` of a `Template` does not read ``003``: where names have leading
        zeros, it becomes ``{:03d}``.
    names
        The existing names.
    recorded
        The text of the codec by which holdall has written there before.

    Returns
    -------
    KeyCodec
        The given one where no other reads more, or where another would change a key; unless the other one
        has written there: to it a name such as ``50%25`` is a key as it stands.

    Examples
    --------
    >>> fitted(PathKeys(suffix=".txt"), ["a.txt", "100%.txt"]).decode("100%.txt")
    '100%'
    >>> fitted(Template("S_{:d}.wav"), ["S_003.wav"])
    Template('S_{:03d}.wav')
    """
    names = list(names)
    unread = [name for name in names if codec.decode(name) is NOT_MINE]
    other = _other(codec, unread) if unread or recorded else None
    if other is not None and repr(other) == recorded:
        return other
    if other is None or all(other.decode(name) is NOT_MINE for name in unread):
        return codec
    changed = any(
        key is not NOT_MINE and other.decode(name) != key for name in names for key in [codec.decode(name)]
    )
    return codec if changed else other


def _other(codec: KeyCodec[Any], unread: list[str]) -> KeyCodec[Any] | None:
    """Return a codec that may read more; None if there is none."""
    if isinstance(codec, Template):
        texts = (codec.padded(name) for name in unread)
        text = next((text for text in texts if text is not None), None)
        return None if text is None else Template(text, keys=codec.keys)
    if not isinstance(codec, PathKeys) or codec != PathKeys(suffix=codec.suffix, hidden=codec.hidden):
        return None
    return Suffix(codec.suffix)
