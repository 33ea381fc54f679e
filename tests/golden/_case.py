"""What a case is: who writes a format into an empty folder, who reads it from there, and what is in it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["CASES", "KEY", "Case", "Items", "case", "stored"]

#: The key of sealed values, which is no secret here.
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

Items = list[tuple[Any, Any]]


class Case(NamedTuple):
    """One format."""

    name: str
    #: Writes it into an empty folder.
    write: Callable[[Path], None]
    #: Reads it: a context that gives a mapping.
    read: Callable[[Path], Any]
    #: Makes what it holds.
    items: Callable[[], Items]
    #: The packages that it needs.
    needs: tuple[str, ...] = ()
    #: Whether the mapping lists its keys.
    lists: bool = True
    #: The case whose files it reads in another way.
    of: str = ""

    @property
    def folder(self) -> str:
        """The folder of its files."""
        return self.of or self.name


CASES: dict[str, Case] = {}


def case(name: str, items: Any, needs: tuple[str, ...] = (), *, lists: bool = True, of: str = "") -> Any:
    """Add a case whose functions a class has as `write` and `read`."""

    def add(functions: Any) -> Any:
        made = items if callable(items) else lambda: list(items)
        CASES[name] = Case(name, functions.write, functions.read, made, needs, lists, of)
        return functions

    return add


def stored(
    name: str, make: Any, items: Any, *, again: Any = None, needs: tuple[str, ...] = (), lists: bool = True
) -> None:
    """Add a case of a store, opened again without options unless `again` says how."""

    class Functions:
        @staticmethod
        def write(folder: Path) -> None:
            with closing(make(folder)) as store:
                for key, value in CASES[name].items():
                    store[key] = value

        @staticmethod
        def read(folder: Path) -> Any:
            return closing((again or make)(folder))

    case(name, items, needs, lists=lists)(Functions)
