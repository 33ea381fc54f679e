"""Whether what a function depends on has changed in this process since it was followed."""

import types
from collections.abc import Collection
from typing import Any, Final

from holdall.memo._encoder import is_found

__all__ = ["Watch", "derived_from"]

_ABSENT: Final = object()


class Watch:
    """The code, variables, cells and derived classes of the moment when they were noted."""

    def __init__(self) -> None:
        self._codes: list[tuple[types.FunctionType, types.CodeType]] = []
        self._variables: list[tuple[dict[str, Any], str, Any, tuple[int, str]]] = []
        self._cells: list[tuple[types.CellType, Any]] = []
        self._derived: dict[type, list[type]] = {}

    def code(self, function: types.FunctionType) -> None:
        """Note the code of a function."""
        self._codes.append((function, function.__code__))

    def variable(self, scope: dict[str, Any], name: str, place: tuple[int, str]) -> None:
        """Note what a variable or attribute is, or that there is none, at a place."""
        self._variables.append((scope, name, scope.get(name, _ABSENT), place))

    def cell(self, cell: types.CellType, content: Any) -> None:
        """Note what the cell of a closure holds."""
        self._cells.append((cell, content))

    def derived(self, owner: type) -> list[type]:
        """Note the classes derived from a class, and return them."""
        self._derived[owner] = derived_from(owner)
        return self._derived[owner]

    def spare(self, places: Collection[tuple[int, str]]) -> None:
        """Forget the variables at some places, which the function itself changes."""
        self._variables = [variable for variable in self._variables if variable[3] not in places]

    def changed(self) -> bool:
        """Return whether anything is another than was noted."""
        for function, code in self._codes:
            if function.__code__ is not code:
                return True
        for scope, name, value, _ in self._variables:
            if scope.get(name, _ABSENT) is not value:
                return True
        for owner, derived in self._derived.items():
            if derived_from(owner) != derived:
                return True
        for cell, value in self._cells:
            try:
                if cell.cell_contents is not value:
                    return True
            except ValueError:  # deleted since
                return True
        return False


def derived_from(owner: type) -> list[type]:
    """Return the classes derived from one, less those that are known by their content as arguments."""
    derived: list[type] = type.__subclasses__(owner)
    return [cls for cls in derived if is_found(cls)]
