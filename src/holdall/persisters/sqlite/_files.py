"""Large data in files of their own, beside the database.

The database alone records which file an item has. A new file is finished under another name, entered in the
table of unused files, and renamed in the transaction that assigns it to its item. So the holder of the write
lock knows that nobody will use a planned file in that table. A file that an item loses is entered there by a
trigger, in the same transaction, and deleted after it. No file ever changes, and no name is used twice.
"""

import errno
import os
import secrets
import sqlite3
from collections.abc import Iterable
from typing import Any, Self

from holdall.abc import Persister
from holdall.errors import InvalidArgumentError, StoreUnavailableError
from holdall.persisters.sqlite._schema import INLINE, Statements
from holdall.persisters.sqlite._session import Session

_PIECE = 1 << 20  # bytes copied at a time


def check_smallest(files: Any, smallest: Any) -> None:
    """Raise `InvalidArgumentError` unless large data can go to files with these options."""
    if smallest is None:
        return
    if type(smallest) is not int or smallest <= INLINE:
        raise InvalidArgumentError(
            f"files_from must be a number of bytes from {INLINE + 1}, or None, got {smallest!r}: "
            "smaller values lie in a row with their key",
        )
    if files is None:
        raise InvalidArgumentError("files_from needs files: the persister that takes the large data")


class StagedFile:
    """A finished file without its final name; leaving the context without `publish` discards it."""

    def __init__(self, files: Persister, name: str, pieces: Iterable[Any], *, sync: bool) -> None:
        self.name = name
        self.published = False
        self._writing = files.writer(name)
        file = self._writing.__enter__()
        try:
            for piece in pieces:
                file.write(piece)
            if sync:  # outside of the lock
                file.flush()
                os.fsync(file.fileno())
            self.size = file.tell()
        except BaseException as error:
            if not self._writing.__exit__(type(error), error, error.__traceback__):
                raise

    def publish(self) -> None:
        """Give the file its final name."""
        if self.published:  # by an interrupted attempt
            raise StoreUnavailableError(
                errno.ECANCELED, "the database was closed during the write: write again"
            )
        self.published = True
        self._writing.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.published:
            discarded = _DiscardedError()
            self._writing.__exit__(_DiscardedError, discarded, None)


class LinkedFile(StagedFile):
    """A file that exists elsewhere, and gets its name here by a hard link."""

    def __init__(self, files: Any, name: str, path: str) -> None:
        self.name = name
        self.size = os.stat(path).st_size
        self.published = False
        self._files = files
        self._path = path

    def publish(self) -> None:  # docstring inherited
        if self.published:  # as in StagedFile
            raise StoreUnavailableError(
                errno.ECANCELED, "the database was closed during the write: write again"
            )
        if not self._files.link(self.name, self._path):
            raise NotLinkedError(errno.EXDEV, "the file cannot be linked", self._path)
        self.published = True

    def __exit__(self, *_: object) -> None:
        pass  # nothing was made


class NotLinkedError(StoreUnavailableError):
    """Raised where the system cannot link the file."""


class LargeFiles:
    """The files of a table.

    Parameters
    ----------
    persister
        The persister of the files.
    smallest
        Bytes from which new data get a file; None for none.
    sql
        The statements of the table.
    sync
        Whether a returned write must survive a power failure.
    """

    def __init__(self, persister: Persister, smallest: int | None, sql: Statements, *, sync: bool) -> None:
        self.place = persister
        self.smallest = smallest
        #: Whether the table of unused files exists: then writes look for files to delete.
        self.ready = False
        self._sql = sql
        self._sync = sync

    # ------------------------------------------------------------------ files of items

    def fetch(self, row: str, limit: int) -> Any:
        """Return the data that a row refers to, over `limit` bytes as a file; None if they are gone."""
        try:
            return self.place.fetch(name_in(row), limit)
        except KeyError:
            return None

    def path_of(self, row: str) -> str:
        """Return the path of the file that a row refers to."""
        return os.path.join(self.place.path, name_in(row))  # type: ignore[attr-defined]

    def takes(self, size: int) -> bool:
        """Return whether data of so many bytes get a file."""
        return self.smallest is not None and size >= self.smallest

    def staged(self, id: str, pieces: Iterable[Any], name: str | None = None) -> StagedFile:
        """Return a finished file without its final name."""
        name = name or new_name()
        try:
            return StagedFile(self.place, name, pieces, sync=self._sync)
        except StoreUnavailableError as error:
            told = str(error.strerror).replace(repr(name), f"{id!r:.120}")
            raise type(error)(error.errno, told, error.filename) from error

    # ------------------------------------------------------------------ files of no item

    def plan(self, session: Session, name: str) -> None:
        """Enter a planned file in the table of unused files; a folder stands for the files in it."""
        if self.ready:
            session.execute(self._sql.plan_file, (name,))
            return
        with session.transaction() as connection:
            for statement in (*self._sql.make_triggers, *self._sql.make_files):
                connection.execute(statement)
            connection.execute(self._sql.plan_file, (name,))
        self.ready = True

    def take(self, connection: sqlite3.Connection, name: str) -> bool:
        """Remove a planned file from the table; return False if it was deleted meanwhile."""
        return bool(connection.execute(self._sql.forget_file, (name,)).rowcount)

    def delete_dropped(self, session: Session) -> None:
        """Delete the files that items have lost; those that cannot be deleted now stay in the table."""
        if session.connection.in_transaction:
            return  # which may be undone
        try:
            for (name,) in session.execute(self._sql.dropped_files).fetchall():
                self._delete(name)
                session.execute(self._sql.forget_file, (name,))
        except (sqlite3.Error, StoreUnavailableError):
            pass  # left for the next write

    def sweep(self, session: Session) -> None:
        """Delete all unused files, also those that killed writers left."""
        if not session.execute(self._sql.any_file).fetchall():
            return
        with session.transaction() as connection:
            for (name,) in connection.execute(self._sql.planned_files).fetchall():
                for id in (name, *list(self.place.ids(f"{name}/"))):
                    self._delete(id)
                connection.execute(self._sql.forget_file, (name,))
        self.delete_dropped(session)

    def _delete(self, name: str) -> None:
        try:
            self.place.remove(name)
        except KeyError:
            pass

    def problems(self, rows: Iterable[str]) -> int:
        """Return the number of items whose file is missing, or has another size."""
        count = 0
        for row in rows:
            try:
                count += self.place.stat(name_in(row)).size != int(row.partition(" ")[0])
            except KeyError:
                count += 1
        return count


def new_name() -> str:
    """Return a name that no file ever had."""
    return secrets.token_hex(12)


def name_in(row: str) -> str:
    """Return the name of the file that a row refers to: the text after its size."""
    return row.partition(" ")[2]


class _DiscardedError(Exception):
    """Raised to end the writing of a file that is not needed."""
