"""Maintenance of a database: checking it, and freeing space."""

from holdall._sqlite.errors import is_damage
from holdall.errors import StoreUnavailableError
from holdall.persisters.sqlite._files import LargeFiles
from holdall.persisters.sqlite._session import Session
from holdall.persisters.sqlite._table import Table


def problems(table: Table, files: LargeFiles) -> list[str]:
    """Return what is wrong with a table and its file, one sentence each."""
    found: list[str] = []
    try:
        for (text,) in table.rows("PRAGMA integrity_check"):
            found += [line for line in text.splitlines() if line != "ok" and not line.startswith("*** ")]
        [(lost,)] = table.rows(table.sql.lost)
        if lost:
            found.append(f"{lost} items of table {table.name!r} have lost their data")
        lost = files.problems()
        if lost:
            found.append(f"{lost} items of table {table.name!r} have lost their file")
        [(orphans,)] = table.rows(table.sql.orphans)
        if orphans:
            found.append(
                f"{orphans} large data of table {table.name!r} belong to no item: vacuum() drops them"
            )
    except StoreUnavailableError as error:
        if not is_damage(error.__cause__):
            raise
        found.append(str(error.strerror))
    return found


def shrink(table: Table, files: LargeFiles) -> int:
    """Rewrite the file of a table without the space of deleted data, and return the bytes that were freed."""
    before = table.nbytes

    def rewrite(session: Session) -> None:
        with session.transaction() as connection:
            connection.execute(table.sql.drop_orphans)
        if files.ready:
            files.sweep(session)
        session.execute("VACUUM")
        session.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    table.run(rewrite, "the database cannot be rewritten")
    return before - table.nbytes
