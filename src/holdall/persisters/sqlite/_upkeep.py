"""Maintenance of a database: checking it, and freeing space."""

from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite._errors import is_damage
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._transaction import SqliteTransactions


class SqliteUpkeep(SqliteTransactions):
    """The part of `SqlitePersister` for the maintenance of its file."""

    def check(self) -> list[str]:
        """Check every page of the file, and the consistency of the table.

        Returns
        -------
        list of str
            What is wrong, one sentence each; empty if nothing is.

        Raises
        ------
        StoreUnavailableError
            If the file cannot be read at all.
        """
        problems: list[str] = []
        try:
            for (text,) in self._rows("PRAGMA integrity_check"):
                problems += [
                    line for line in text.splitlines() if line != "ok" and not line.startswith("*** ")
                ]
            [(lost,)] = self._rows(self._sql.lost)
            if lost:
                problems.append(f"{lost} items of table {self.table!r} have lost their data")
            rows = [row for (row,) in self._rows(self._sql.rows_of_files)]
            lost = 0 if self._files is None else self._files.problems(rows)
            if lost:
                problems.append(f"{lost} items of table {self.table!r} have lost their file")
            [(orphans,)] = self._rows(self._sql.orphans)
            if orphans:
                problems.append(
                    f"{orphans} large data of table {self.table!r} belong to no item: vacuum() drops them"
                )
        except StoreUnavailableError as error:
            if not is_damage(error.__cause__):
                raise
            problems.append(str(error.strerror))
        return problems

    def vacuum(self) -> int:
        """Rewrite the file without the space of deleted data.

        Returns
        -------
        int
            Bytes that were freed; negative if a reader prevented the log from being emptied within the
            timeout.

        Raises
        ------
        StoreUnavailableError
            If others keep the database locked for longer than the timeout.
        """
        self._check_writable()
        before = self.nbytes

        def shrink(session: Session) -> None:
            with session.transaction() as connection:
                connection.execute(self._sql.drop_orphans)
            if self._watch and self._files is not None:
                self._files.sweep(session)
            session.execute("VACUUM")
            session.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        self._run(shrink, "the database cannot be rewritten")
        return before - self.nbytes
