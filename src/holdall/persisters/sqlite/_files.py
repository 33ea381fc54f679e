"""Large data in files of their own, beside the database.

The database alone records which file an item has. A new file is finished under another name, entered in the
table of unused files, and renamed in the transaction that assigns it to its item. So the holder of the write
lock knows that nobody will use a planned file in that table. A file that an item loses is entered there by a
trigger, in the same transaction, and deleted after it. No file ever changes, and no name is used twice.
"""

import errno
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from holdall._shown import shown
from holdall.abc import Persister
from holdall.conditional import Expected
from holdall.errors import HoldallError, InvalidArgumentError, StoreUnavailableError, UnsupportedError
from holdall.persisters.sqlite._batches import BATCH, Batch, checked, size_of
from holdall.persisters.sqlite._ids import as_id
from holdall.persisters.sqlite._schema import INLINE
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._table import BLIND, Table


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
    """The files of a table: new data of at least `smallest` bytes get one; without that number none do."""

    def __init__(self, table: Table, persister: Persister | None, smallest: int | None) -> None:
        self.smallest = smallest
        #: Whether the table of unused files exists: then writes look for files to delete.
        self.ready = False
        self._persister = persister
        self._table = table
        self._sql = table.sql
        if persister is not None and not table.read_only and table.rows(self._sql.has_files):
            self.ready = True
            table.run(self.sweep, "what killed writers left cannot be deleted")

    # ------------------------------------------------------------------ files of items

    def fetch(self, id: Any, row: str, limit: int) -> Any:
        """Return the data that a row refers to, over `limit` bytes as a file; None if they are gone."""
        try:
            return self._needed(id).fetch(name_in(row), limit)
        except KeyError:
            return None

    def path_of(self, id: Any, row: str) -> str:
        """Return the path of the file that a row refers to."""
        return os.path.join(self._needed(id).path, name_in(row))  # type: ignore[attr-defined]

    def _needed(self, id: Any) -> Persister:
        """Return the persister of the files, one of which an item has."""
        if self._persister is None:
            raise UnsupportedError(
                f"the data of {shown(id, 120)} lie in a file beside {self._table.place}: open it with files= "
                "(SQLiteStore does), where the folder of them is",
            )
        return self._persister

    def problems(self) -> int:
        """Return the number of items whose file is missing, or has another size."""
        count = 0
        rows = () if self._persister is None else self._table.rows(self._sql.rows_of_files)
        for (row,) in rows:
            try:
                count += self._persister.stat(name_in(row)).size != int(row.partition(" ")[0])  # type: ignore[union-attr]
            except KeyError:
                count += 1
        return count

    # ------------------------------------------------------------------ writing

    def take(self, size: int) -> bool:
        """Return whether data of so many bytes get a file now."""
        # A transaction may be undone, and its files would have to be remembered.
        return self._are_for(size) and not self._table.in_transaction()

    def _are_for(self, size: int) -> bool:
        return self.smallest is not None and size >= self.smallest

    def write(
        self,
        id: str,
        pieces: Iterable[Any],
        expected: Expected,
        then: Callable[[], object] | None = None,
    ) -> int | None:
        """Write data to a file of their own, and return the version of the item; None if that is refused."""
        with self._staged(id, pieces) as staged:
            return self._enter(id, staged, expected, then)

    def _staged(self, id: str, pieces: Iterable[Any], name: str | None = None) -> StagedFile:
        """Return a finished file without its final name."""
        assert self._persister is not None  # noqa: S101  (it takes them)
        name = name or new_name()
        try:
            return StagedFile(self._persister, name, pieces, sync=self._table.sync)
        except StoreUnavailableError as error:
            told = str(error.strerror).replace(repr(name), f"{shown(id, 120)}")
            raise type(error)(error.errno, told, error.filename) from error

    def link(self, id: str, path: str) -> bool:
        """Store an existing file under an id, by a hard link; return whether that was possible."""
        if not hasattr(self._persister, "link"):
            return False
        self._table.check_writable()
        try:
            staged = LinkedFile(self._persister, new_name(), path)
        except FileNotFoundError:
            return False  # deleted meanwhile
        if not self.take(staged.size):
            return False
        checked(id, b"")
        try:
            self._enter(id, staged, BLIND)
        except NotLinkedError:
            return False
        return True

    def _enter(
        self,
        id: str,
        staged: StagedFile,
        expected: Expected,
        then: Callable[[], object] | None = None,
    ) -> int | None:
        """Publish a file and assign it to an item, in one transaction with all that belongs to it."""
        with staged:

            def store(session: Session) -> int | None:
                while True:
                    self.plan(session, staged.name)
                    with session.transaction() as connection:
                        if not self._forget(connection, staged.name):
                            continue  # the planned file was deleted meanwhile
                        number = self._add(connection, staged)
                        version = self._table.swap(connection, as_id(id), number, expected)
                        if version is None:
                            connection.execute(self._sql.drop_large, (number,))
                        else:
                            if then is not None:
                                then()
                            staged.publish()
                        return version

            try:
                version = self._table.run(store, f"{shown(id, 120)} cannot be written")
            except BaseException:
                if staged.published:
                    self.tidy()
                raise
            self.delete_dropped()
            return version  # type: ignore[no-any-return]

    def _add(self, connection: sqlite3.Connection, staged: StagedFile) -> Any:
        """Enter a file as large data, and return their number."""
        return connection.execute(self._sql.add_large, (f"{staged.size} {staged.name}",)).lastrowid

    # ------------------------------------------------------------------ files of many items

    def folder_for(self, first: Batch) -> str | None:
        """Return the folder for the files of many items, if they may need one."""
        if self.smallest is None or self._table.in_transaction():
            return None
        if len(first.keys) < BATCH and not (
            first.large and any(map(self._are_for, map(size_of, first.data)))
        ):
            return None
        return new_name()

    def names_in(self, connection: sqlite3.Connection, folder: str | None) -> Iterator[str] | None:
        """Return names for files in a planned folder, which becomes permanent if all succeeds."""
        if folder is None or not self._forget(connection, folder):
            return None
        return (f"{folder}/{number}" for number in itertools.count())

    def add(
        self, connection: sqlite3.Connection, id: str, data: Any, names: Iterator[str] | None
    ) -> int | None:
        """Write large data of many to a file, and return their number; None if they get none."""
        if names is None or not self._are_for(size_of(data)):
            return None
        with self._staged(id, data if type(data) is list else [data], next(names)) as staged:
            staged.publish()
            return self._add(connection, staged)  # type: ignore[no-any-return]

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

    def _forget(self, connection: sqlite3.Connection, name: str) -> bool:
        """Remove a planned file from the table; return False if it was deleted meanwhile."""
        return bool(connection.execute(self._sql.forget_file, (name,)).rowcount)

    def delete_dropped(self, session: Session | None = None) -> None:
        """Delete the files that items have lost by the last statement."""
        if not self.ready:
            return
        session = session or self._table.session()
        with session.lock:
            if session.closed or session.connection.in_transaction:
                return
            changes = session.connection.total_changes
            # A small write changes one row.
            if changes - session.changes > 1:
                self._delete_all_dropped(session)
                changes = session.connection.total_changes
            session.changes = changes

    def _delete_all_dropped(self, session: Session) -> None:
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
                for id in (name, *list(self._persister.ids(f"{name}/"))):  # type: ignore[union-attr]
                    self._delete(id)
                connection.execute(self._sql.forget_file, (name,))
        self._delete_all_dropped(session)

    def tidy(self) -> None:
        """Delete the leftovers of a failed write."""
        try:
            self._table.run(self.sweep, "unused files cannot be deleted")
        except HoldallError:
            pass  # left for the next opening

    def _delete(self, name: str) -> None:
        try:
            self._persister.remove(name)  # type: ignore[union-attr]
        except KeyError:
            pass


def new_name() -> str:
    """Return a name that no file ever had."""
    return os.urandom(12).hex()


def name_in(row: str) -> str:
    """Return the name of the file that a row refers to: the text after its size."""
    return row.partition(" ")[2]


class _DiscardedError(Exception):
    """Raised to end the writing of a file that is not needed."""
