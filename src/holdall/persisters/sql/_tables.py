"""The tables of a database that have a primary key."""

from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from holdall._posix.fork import finalize, forget_in_child
from holdall.persisters.sql._engine import connect, engine_of, forget, place_of, told
from holdall.persisters.sql._files import watched

__all__ = ["Database"]

T = TypeVar("T")


class Database:
    """A database and its catalogue.

    Parameters
    ----------
    target
        Its URL, or an engine.
    """

    def __init__(self, target: Any) -> None:
        self.engine = watched(engine_of(target, pool_pre_ping=True))
        self.place = place_of(self.engine)
        forget_in_child(self)
        self._owns = isinstance(target, str) or self.engine is not target
        if self._owns:
            finalize(self, self.engine.dispose)

    @property
    def address(self) -> str:
        """The URL with its password."""
        return str(self.engine.url.render_as_string(hide_password=False))

    def after_fork(self) -> None:
        """Forget the connections of the parent."""
        forget(self.engine)

    def _look(self, ask: Callable[[Any], T]) -> T:
        try:
            with connect(self.engine, self.place) as connection:
                return ask(sa.inspect(connection))
        except exc.DBAPIError as error:
            cause: Any = error.orig
            raise told(cause, "the tables cannot be listed", self.engine) from error

    def names(self) -> list[str]:
        """Return the names of the tables, sorted."""
        return self._look(
            lambda look: sorted(
                name
                for (_, name), key in look.get_multi_pk_constraint().items()
                if key["constrained_columns"]
            )
        )

    def has(self, name: str) -> bool:
        """Return whether there is a table of that name with a primary key."""
        return self._look(
            lambda look: (
                name in look.get_table_names() and bool(look.get_pk_constraint(name)["constrained_columns"])
            )
        )

    def close(self) -> None:
        """Close the connections, if no others use them."""
        if self._owns:
            self.engine.dispose()
