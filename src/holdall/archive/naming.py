"""Names that users may give, and names that the text itself needs."""

import contextlib
import keyword
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any

from holdall.archive import prelude
from holdall.errors import InvalidArgumentError

__all__ = ["Names", "check_name", "checked_name", "module_name", "shown"]

# Names with a meaning for modules.
_SPECIAL = frozenset({"__debug__", "__class__"})


def check_name(name: Any, allowed: Any = ()) -> None:
    """Raise `InvalidArgumentError` if a value cannot have a name."""
    if not isinstance(name, str):
        raise InvalidArgumentError(f"names are str, got {type(name).__name__}: {name!r}")
    if not name.isidentifier():
        raise InvalidArgumentError(f"{name!r} is no identifier, so nothing could be imported by that name")
    if keyword.iskeyword(name):
        raise InvalidArgumentError(f"{name!r} is a keyword of Python, so nothing can have that name")
    normal = unicodedata.normalize("NFKC", name)
    if normal != name:
        raise InvalidArgumentError(f"Python reads the name {name!r} as {normal!r}: insert it as {normal!r}")
    if name in prelude.RESERVED or name in _SPECIAL or (name.startswith("__") and name.endswith("__")):
        raise InvalidArgumentError(
            f"{name!r} has a meaning of its own in the text of archives, or for Python"
        )
    if name.startswith("_") and name not in allowed:
        raise InvalidArgumentError(
            f"{name!r} starts with an underscore, as names that the text needs do: add it to allowed_names"
        )


def module_name(name: str | None, values: Mapping[str, Any], *, single: bool, force: bool) -> str:
    """Return the name of a module to be saved.

    Parameters
    ----------
    name
        The requested name; None for the name of the single value.
    values
        Name -> value.
    single
        Whether the single value replaces the module.
    force
        Whether it may have the name of a module of the standard library.

    Raises
    ------
    InvalidArgumentError
        If there is no name, or nothing could be imported by it.
    """
    if name is None:
        if not single:
            raise InvalidArgumentError("Must provide name unless single_item_mode=True")
        if not values:
            raise InvalidArgumentError("the archive is empty: insert the single item first")
        name = next(iter(values))
    if single:
        if len(values) != 1:
            raise InvalidArgumentError("a single_item_mode=True archive is saved with one item in it")
        if next(iter(values.values())) is None:
            raise InvalidArgumentError(
                "None cannot take the place of a module: it stands for a module that must not be imported"
            )
    check_name(name, [name])
    if name in sys.stdlib_module_names and not force:
        raise InvalidArgumentError(
            f"{name!r} is a module of the standard library, which the archive would hide: "
            "choose another name, or pass force=True"
        )
    return name


def checked_name(name: str) -> str:
    """Return a name that the text needs for itself, if it can have it, or raise."""
    check_name(name, [name])
    return name


class Names:
    """The names of one text, each used once.

    Parameters
    ----------
    taken
        The names of users.
    prefix
        The prefix of generated names.
    """

    def __init__(self, taken: Any, prefix: str = "_g") -> None:
        self._taken = set(taken) | prelude.RESERVED
        self._builtins: set[str] = set()
        self._prefix = prefix
        self._next = 0

    def generate(self, prefix: str | None = None) -> str:
        """Return an unused name: ``_g0``, ``_g1``, ..."""
        while True:
            name = f"{prefix or self._prefix}{self._next}"
            self._next += 1
            if name not in self._taken:
                self._taken.add(name)
                return name

    def claim(self, wanted: str) -> str:
        """Return an unused name as close as possible to the wanted one."""
        name, number = wanted, 0
        while name in self._taken or keyword.iskeyword(name) or name in _SPECIAL:
            name = f"_{wanted}" if not number else f"_{wanted}_{number}"
            number += 1
        self._taken.add(name)
        return name

    def keep_builtin(self, name: str) -> bool:
        """Return whether a name stands for the builtin in this text: not if anything else has it."""
        if name not in self._taken:
            self._taken.add(name)
            self._builtins.add(name)
        return name in self._builtins


def shown(obj: Any) -> str:
    """Return the text of an object for errors; a class with a hook is never asked for it."""
    if not hasattr(type(obj), "get_persistent_rep"):
        with contextlib.suppress(Exception):  # of any class
            return f"{obj!s:.80}"
    return f"<{type(obj).__qualname__} object>"
