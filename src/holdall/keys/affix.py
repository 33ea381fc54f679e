"""A text before or after every key."""

from typing import Any

from holdall._shown import shown
from holdall.abc import NOT_MINE
from holdall.errors import InvalidKeyError
from holdall.keys._value import FrozenCodec, text_option


def _plain(key: object, what: object) -> str:
    if not isinstance(key, str):
        raise InvalidKeyError(
            f"keys of {what!r} are str, got {type(key).__name__}: {shown(key)}; "
            "put AnyKeys() | before it to name other keys",
        )
    return str.__str__(key)


class Prefix(FrozenCodec[str]):
    """A text before every key.

    Parameters
    ----------
    text
        The text that ids start with.

    Notes
    -----
    Only ids with this prefix are listed, where the persister can do so.

    Examples
    --------
    >>> runs = Prefix("run-")
    >>> runs.encode("7"), runs.decode("run-7"), runs.decode("walk-7")
    ('run-7', '7', NOT_MINE)
    """

    text: str

    def __init__(self, text: str) -> None:
        text = text_option(text, "a prefix")
        self._freeze(text, text=text)

    def encode(self, key: str) -> str:  # docstring inherited
        return self.text + (key if type(key) is str else _plain(key, self))

    def decode(self, id: Any) -> Any:  # docstring inherited
        return id[len(self.text) :] if isinstance(id, str) and id.startswith(self.text) else NOT_MINE

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        return f"{self.text}{_plain(prefix, self)}/"


class Suffix(FrozenCodec[str]):
    """A text after every key.

    Parameters
    ----------
    text
        The text that ids end with.

    Examples
    --------
    >>> notes = Suffix(".txt")
    >>> notes.encode("todo"), notes.decode("todo.txt"), notes.decode("todo.png")
    ('todo.txt', 'todo', NOT_MINE)
    """

    text: str

    def __init__(self, text: str) -> None:
        text = text_option(text, "a suffix")
        self._freeze(text, text=text)

    def encode(self, key: str) -> str:  # docstring inherited
        return (key if type(key) is str else _plain(key, self)) + self.text

    def decode(self, id: Any) -> Any:  # docstring inherited
        mine = isinstance(id, str) and id.endswith(self.text)
        return id[: len(id) - len(self.text)] if mine else NOT_MINE

    def id_prefix(self, prefix: Any) -> str:  # docstring inherited
        return f"{_plain(prefix, self)}/"
