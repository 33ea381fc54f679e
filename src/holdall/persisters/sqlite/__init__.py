"""A persister over a table of a SQLite database: many small data in one file, large data in pieces."""

import os
from typing import Any

from holdall.errors import HoldallError, UntrustedStoreError
from holdall.persisters.sqlite._ids import as_id, as_text
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import Sessions
from holdall.persisters.sqlite._table import find_record
from holdall.persisters.sqlite.persister import SqlitePersister

__all__ = ["SqlitePersister", "as_id", "as_text", "recorded"]


def recorded(path: str | os.PathLike[str], table: str, *, guard: bool) -> dict[str, Any]:
    """Return the options that a table was made with; none if they were not recorded.

    Parameters
    ----------
    path
        The file, which need not exist.
    table
        Name of the table.
    guard
        Whether to refuse a file that others could have written. This must be checked before the file is
        opened: SQLite applies what is in the log, and gives the log to the owner of the file.

    Raises
    ------
    UntrustedStoreError
        If the file is refused.
    """
    found: dict[str, Any] = {}

    def look(session: Session) -> None:
        found.update(find_record(session.connection, absolute, table) or {})

    try:
        absolute = os.path.abspath(os.fspath(path))
        sessions = Sessions(absolute, sync=False, timeout=5, read_only=True, guard=guard, prepare=look)
        sessions.connect().close()
    except UntrustedStoreError:
        raise
    except (HoldallError, TypeError, ValueError):
        pass  # opening it for use will raise
    return found
