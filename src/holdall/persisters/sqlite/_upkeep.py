"""Looking after a database: whether it is whole, and giving room back."""

from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._writing import SqliteWriting


class SqliteUpkeep(SqliteWriting):
    """The part of `SqlitePersister` that looks after its file."""

    def check(self) -> list[str]:
        """Look at every page of the file, and at what belongs together in the table.

        Returns
        -------
        list of str
            What is wrong, a sentence each; empty if nothing is.
        """
        problems = [text for (text,) in self._rows("PRAGMA integrity_check") if text != "ok"]
        [(lost,)] = self._rows(self._sql.lost)
        if lost:
            problems.append(f"{lost} items of table {self.table!r} have lost their data")
        [(orphans,)] = self._rows(self._sql.orphans)
        if orphans:
            problems.append(
                f"{orphans} large data of table {self.table!r} belong to no item: vacuum() drops them"
            )
        return problems

    def vacuum(self) -> int:
        """Write the file anew without the room of what was deleted.

        Returns
        -------
        int
            Bytes that were given back.

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
            session.execute("VACUUM")
            session.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        self._run(shrink, "the database cannot be written anew")
        return before - self.nbytes
