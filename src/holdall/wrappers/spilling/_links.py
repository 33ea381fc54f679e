"""Items copied from another spilling persister, without being read where files can be linked."""

from collections.abc import Callable
from typing import Any

from holdall.wrappers.spilling._core import Spill

__all__ = ["take_over"]


def take_over(spill: Spill, source: Spill, *, overwrite: bool) -> None:
    """Store all items of another persister: by hard links between files, else by reading and writing.

    Parameters
    ----------
    spill
        The persister to write to.
    source
        The persister to copy from; it was flushed.
    overwrite
        Whether existing items are replaced.
    """
    linked = _linking(spill, source)
    for key in source.slow.store:
        name = spill.name(key)
        if not overwrite and (name in spill.items.by_name or spill.slow.has(key)):
            continue
        if linked is not None and linked(key):
            spill.slow.links += 1
            continue
        try:
            value = source.get(key)
        except KeyError:  # deleted meanwhile
            continue
        spill.put(key, value)
        spill.slow.copies += 1


def _linking(spill: Spill, source: Spill) -> Callable[[Any], bool] | None:
    """Return a function that links an item and returns whether it could; None if files cannot be linked."""
    ours, theirs = spill.slow, source.slow
    link: Any = getattr(ours.persister, "link", None)
    file_of: Any = getattr(theirs.persister, "file_of", None)
    if link is None or file_of is None or not (ours.place.plain and theirs.place.plain):
        return None
    if ours.store.serializer != theirs.store.serializer:
        return None

    def linked(key: Any) -> bool:
        name = spill.name(key)
        with spill.items.turn(name):
            path = file_of(theirs.place.id_of(key))
            if path is None or not link(ours.place.id_of(key), path):
                return False
            spill.forget(name, key, spill.items.by_name.get(name))
            return True

    return linked
