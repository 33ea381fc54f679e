"""Any object in a message: short, and never an error."""

from typing import Final

__all__ = ["PATH", "shown"]

PATH: Final = 4200  # characters: room for every path of Linux, and so for a store that names its own


def shown(thing: object, room: int = 80) -> str:
    """Return the text of an object for messages, of at most `room` characters.

    Parameters
    ----------
    thing
        Any object.
    room
        The maximal number of characters.

    Examples
    --------
    >>> shown("a long text", 8)
    "'a lon'…"
    >>> shown([1, 2, 3, 4], 8)
    '[1, 2, …'
    """
    try:
        text = repr(thing)
    except Exception:  # a huge int, deep nesting, a faulty class
        text = object.__repr__(thing)
    if len(text) <= room:
        return text
    return text[: room - 2] + text[-1] + "…" if isinstance(thing, str | bytes) else text[: room - 1] + "…"
