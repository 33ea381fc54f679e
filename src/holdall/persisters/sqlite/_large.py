"""Writing large data: in pieces to a separate table, or to files beside the database."""

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from holdall.abc import join_parts
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE, Expected
from holdall.errors import HoldallError, ReadOnlyError
from holdall.persisters.sqlite._batches import BATCH, Batch, checked, size_of
from holdall.persisters.sqlite._files import LinkedFile, NotLinkedError, StagedFile, new_name
from holdall.persisters.sqlite._place import as_id
from holdall.persisters.sqlite._reading import SqliteReading
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._sessions import clock

#: Bytes up to which data are bound as a whole.
PIECE = 1 << 20


def _nothing() -> None:
    pass


class SqliteLarge(SqliteReading):
    """The part of `SqlitePersister` that stores large data, and their number in the row of the item."""

    def _swap(self, connection: sqlite3.Connection, key: Any, data: Any, expected: Expected) -> int | None:
        """Write data, or their number, if the item is in the expected state; return the new version."""
        if expected is ANY_ETAG:
            rows = connection.execute(self._sql.write, (key, data)).fetchall()
        elif expected is ITEM_NOT_AVAILABLE:
            rows = connection.execute(self._sql.insert, (key, data)).fetchall()
        else:
            old = version_of(expected)
            # The old version was above all before it, so the new one is too.
            new = max(old + 1, clock())
            done = connection.execute(self._sql.swap, (new, data, key, old)).rowcount
            rows = [(new,)] if done else []
        return rows[0][0] if rows else None

    def _add_large(self, connection: sqlite3.Connection, data: Any) -> int:
        """Store large data and return their number."""
        size = size_of(data)
        if size > PIECE:
            parts = data if type(data) is list else [data]
            return self._fill_large(connection, size, parts)
        number = connection.execute(self._sql.add_large, (join_parts(data),)).lastrowid
        return self._droppable(connection, number)

    def _fill_large(self, connection: sqlite3.Connection, size: int, parts: Iterable[Any]) -> int:
        """Reserve space for large data and write them piece by piece, without a second copy."""
        number = connection.execute(self._sql.reserve_large, (size,)).lastrowid
        assert number is not None  # noqa: S101  (a row was inserted)
        with connection.blobopen(f"{self.table}:large", "data", number) as blob:
            for part in parts:
                blob.write(part)
        return self._droppable(connection, number)

    def move_apart(self, id: str) -> None:
        """Move data from the row of their id to the table for large ones; keep the etag."""

        def move(session: Session) -> None:
            with session.transaction() as connection:
                rows = connection.execute(self._sql.get, (as_id(id),)).fetchall()
                if rows and type(rows[0][0]) is bytes:
                    number = self._add_large(connection, rows[0][0])
                    connection.execute(self._sql.replace_data, (number, as_id(id)))

        self._check_writable()
        self._run(move, f"{id!r:.120} cannot be moved")

    def _droppable(self, connection: sqlite3.Connection, number: int | None) -> int:
        """Make large data be deleted with their item."""
        for statement in self._sql.make_triggers:
            connection.execute(statement)
        assert number is not None  # noqa: S101  (a row was inserted)
        return number

    # ------------------------------------------------------------------ large data in files

    def _goes_to_file(self, size: int) -> bool:
        # A transaction may be undone, and its files would have to be remembered.
        return self._files is not None and self._files.takes(size) and not self._in_transaction()

    def _write_file(
        self, id: str, key: Any, data: Any, expected: Expected, then: Callable[[], object] = _nothing
    ) -> int | None:
        """Write data to a file of their own, and return the version of the item; None if that is refused."""
        assert self._files is not None  # noqa: S101  (it takes them)
        pieces = [data] if type(data) is bytes else data
        with self._files.staged(id, pieces) as staged:
            return self._enter_file(id, key, staged, expected, then)

    def link(self, id: str, path: str) -> bool:
        """Store an existing file under an id, by a hard link; return whether that was possible.

        Parameters
        ----------
        id
            The id to write.
        path
            A file that never changes, such as one from `file_of` of another persister.

        Returns
        -------
        bool
            False, and nothing is changed, where large data do not go to files, where the file is too small to
            be one of its own here, and where the system makes no link.
        """
        files = self._files
        if files is None or not hasattr(files.place, "link"):
            return False
        self._check_writable()
        try:
            staged = LinkedFile(files.place, new_name(), path)
        except FileNotFoundError:
            return False  # deleted meanwhile
        if not self._goes_to_file(staged.size):
            return False
        key, _ = checked(id, b"")
        try:
            self._enter_file(id, key, staged, ANY_ETAG)
        except NotLinkedError:
            return False
        return True

    def _enter_file(
        self, id: str, key: Any, staged: StagedFile, expected: Expected, then: Callable[[], object] = _nothing
    ) -> int | None:
        """Publish a file and assign it to an item, in one transaction with all that belongs to it."""
        with staged:

            def store(session: Session) -> int | None:
                while True:
                    self._plan(session, staged.name)
                    with session.transaction() as connection:
                        if not self._files.take(connection, staged.name):  # type: ignore[union-attr]
                            continue  # the planned file was deleted meanwhile
                        number = self._add_file(connection, staged)
                        version = self._swap(connection, key, number, expected)
                        if version is None:
                            connection.execute(self._sql.drop_large, (number,))
                        else:
                            then()
                            staged.publish()
                        return version

            try:
                version = self._run(store, f"{id!r:.120} cannot be written")
            except BaseException:
                if staged.published:
                    self._sweep()
                raise
            self._delete_dropped()
            return version  # type: ignore[no-any-return]

    def _add_file(self, connection: sqlite3.Connection, staged: StagedFile) -> Any:
        """Enter a file as large data, and return their number."""
        return connection.execute(self._sql.add_large, (f"{staged.size} {staged.name}",)).lastrowid

    def _plan(self, session: Session, name: str) -> None:
        """Enter a planned file."""
        self._files.plan(session, name)  # type: ignore[union-attr]
        self._watch = True

    def _planned_folder(self, first: Batch) -> str | None:
        """Return the folder for the files of many items, if they may need one."""
        files = self._files
        if files is None or files.smallest is None or self._in_transaction():
            return None
        if len(first.keys) < BATCH and not (first.large and any(map(files.takes, map(size_of, first.data)))):
            return None
        return new_name()

    def _bulk_files(self, session: Session, folder: str | None) -> Iterator[str] | None:
        """Return names for files in a planned folder, which becomes permanent if all succeeds."""
        if folder is None or not self._files.take(session.connection, folder):  # type: ignore[union-attr]
            return None
        return (f"{folder}/{number}" for number in itertools.count())

    def _delete_dropped(self, session: Session | None = None) -> None:
        """Delete the files that items have lost by the last statement."""
        if not self._watch or self._files is None:
            return
        session = session or self._session()
        with session.lock:
            if session.closed or session.connection.in_transaction:
                return
            changes = session.connection.total_changes
            # A small write changes one row.
            if changes - session.changes > 1:
                self._files.delete_dropped(session)
                changes = session.connection.total_changes
            session.changes = changes

    def _sweep(self) -> None:
        """Delete the leftovers of a failed write."""
        try:
            self._run(self._files.sweep, "unused files cannot be deleted")  # type: ignore[union-attr]
        except HoldallError:
            pass  # left for the next opening

    def _check_writable(self) -> None:
        if self.read_only:
            raise ReadOnlyError(f"{self.place} was opened with read_only=True")


def version_of(etag: Any) -> int:
    """Return the version of an etag; one that no item has if the etag is not ours."""
    if isinstance(etag, str) and etag.isascii() and etag.isdigit() and len(etag) < 20:
        version = int(etag)
        if str(version) == etag and version < 1 << 63:
            return version
    return -1
