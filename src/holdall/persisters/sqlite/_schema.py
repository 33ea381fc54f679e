"""The tables of a SQLite persister, and all statements for them.

A table of items is one B-tree from id to version and data, without a row number, so that a small value is
found, written and listed by one search. Data that do not fit into its pages are in a second table, where they
can be read and written in pieces; then ``data`` is the number of their row there. Such a row is written once
and never changed, and its number is never reused. Where large data go to files, the row contains a text, the
size and the name of the file; a third table lists the unused files.
"""

from holdall._shown import shown
from holdall.errors import InvalidArgumentError

#: "hold" in ASCII: identifies our databases, also for `file`
#: (https://sqlite.org/pragma.html#pragma_application_id).
APPLICATION = 0x686F6C64
FORMAT = 1
#: Name of the table that lists the tables of items.
TABLES = "holdall"
#: Bytes of id and data up to which both are in one row. SQLite keeps up to 1002 bytes of a row of such a
#: table in its page of 4096 bytes (https://sqlite.org/fileformat2.html#b_tree_pages), minus the header.
INLINE = 960

_TAKEN = (":large", ":floor", ":removed", ":deleted", ":replaced", ":files", ":dropped", ":bound", ":total")
#: Rows that one statement of a bulk write stores.
ROWS = 100

MAKE_TABLES = f'CREATE TABLE "{TABLES}" (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID'


def quoted(name: str) -> str:
    """Return the quoted name of a table."""
    return '"' + name.replace('"', '""') + '"'


def text(name: str) -> str:
    """Return a quoted text."""
    return "'" + name.replace("'", "''") + "'"


def next_version(table: str) -> str:
    """Return the expression for the version of a new item.

    The clock is read while the statement holds the lock: the version is above all earlier ones, also those of
    deleted items, whatever the clock.
    """
    return f"max(holdall_now(), (SELECT version + 1 FROM {quoted(f'{table}:floor')}))"


def check_table(name: object) -> str:
    """Return the name of a table; raise if no table can have it."""
    if isinstance(name, str) and name.isprintable() and name.strip() and len(name) <= 200:
        lower = name.lower()
        if not (lower == TABLES or lower.startswith("sqlite_") or lower.endswith(_TAKEN)):
            return name
    raise InvalidArgumentError(
        f"table is a printable text of up to 200 characters other than {TABLES!r}, 'sqlite_...' and "
        f"'...:large', got {shown(name)}",
    )


class Statements:
    """The statements for one table of items.

    Parameters
    ----------
    table
        Its name, unquoted.
    """

    def __init__(self, table: str) -> None:
        items, large = quoted(table), quoted(f"{table}:large")
        numbers = f"SELECT data FROM {items} WHERE typeof(data) = 'integer'"
        drop = f"WHEN typeof(old.data) = 'integer' BEGIN DELETE FROM {large} WHERE number = old.data; END"
        trigger = "CREATE TRIGGER IF NOT EXISTS"
        replace = (
            "ON CONFLICT DO UPDATE SET version = max(version + 1, excluded.version), data = excluded.data"
        )
        insert = f"INSERT INTO {items} VALUES (?, {next_version(table)}, ?)"
        floor = quoted(f"{table}:floor")

        deleted = text(f"{table}:deleted")
        # The text in the row of a file begins with the size.
        size = "iif(typeof(data) = 'text', CAST(data AS INTEGER), length(data))"

        self.items = items
        columns = "id TEXT PRIMARY KEY, version INTEGER NOT NULL, data NOT NULL"
        self.make_items = f"CREATE TABLE {items} ({columns}) WITHOUT ROWID"
        self.make_large = (
            f"CREATE TABLE {large} (number INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL)"
        )
        # The clock of SQLite, in milliseconds, saves most deletions a write: versions of items that are older
        # than the last write to this table are already below it.
        now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000"
        self.has_floor = (
            f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = {text(f'{table}:floor')}"
        )
        self.make_floor = (
            f"CREATE TABLE {floor} (version INTEGER NOT NULL)",
            f"INSERT INTO {floor} VALUES (0)",
            (
                f"{trigger} {quoted(f'{table}:removed')} AFTER DELETE ON {items} "
                f"WHEN old.version > (SELECT version FROM {floor}) "
                f"BEGIN UPDATE {floor} SET version = max(old.version, {now}); END"
            ),
        )
        self.floor = f"SELECT version FROM {floor}"
        # Triggers cost each write a few percent, so they are made only once there are data to drop.
        self.make_triggers = (
            f"{trigger} {quoted(f'{table}:deleted')} AFTER DELETE ON {items} {drop}",
            f"{trigger} {quoted(f'{table}:replaced')} AFTER UPDATE OF data ON {items} {drop}",
        )

        self._of_files(table, large, trigger)

        #: Bytes of the data; for data in the other table the negative number of their row.
        self.size = "iif(typeof(data) = 'blob', length(data), -data)"
        self.get = f"SELECT data FROM {items} WHERE id = ?"
        self.read = f"SELECT version, data FROM {items} WHERE id = ?"
        self.stat = f"SELECT version, {self.size} FROM {items} WHERE id = ?"
        asked = f"json_each(?) AS asked CROSS JOIN {items} ON {items}.id = asked.value"
        self.read_many = f"SELECT asked.value, {items}.data FROM {asked}"
        self.has = f"SELECT 1 FROM {items} WHERE id = ?"
        self.count = f"SELECT count(*) FROM {items}"

        self.put = f"{insert} {replace}"
        self.put_dated = f"INSERT INTO {items} VALUES (?, ?, ?) {replace}"
        # Half the time per row. Without ROLLBACK, SQLite would keep copies of pages to undo one statement.
        rows = ", ".join(["(?, ?, ?)"] * ROWS)
        self.put_rows = f"INSERT OR ROLLBACK INTO {items} VALUES {rows} {replace}"
        self.write = f"{insert} {replace} RETURNING version"
        self.insert = f"{insert} ON CONFLICT DO NOTHING RETURNING version"
        self.swap = f"UPDATE {items} SET version = ?, data = ? WHERE id = ? AND version = ?"
        self.replace_data = f"UPDATE {items} SET data = ? WHERE id = ?"
        self.modify = (
            f"UPDATE {items} SET version = max(version + 1, ?), data = holdall_change(data) WHERE id = ?"
        )
        self.remove = f"DELETE FROM {items} WHERE id = ?"
        self.remove_version = f"DELETE FROM {items} WHERE id = ? AND version = ?"
        self.clear = f"DELETE FROM {items}"

        self.get_large = (
            f"SELECT {size}, iif(typeof(data) = 'text' OR length(data) <= ?, data, NULL) "
            f"FROM {large} WHERE number = ?"
        )
        self.size_large = f"SELECT {size} FROM {large} WHERE number = ?"
        self.add_large = f"INSERT INTO {large} (data) VALUES (?)"
        self.reserve_large = f"INSERT INTO {large} (data) VALUES (zeroblob(?))"
        self.drop_large = f"DELETE FROM {large} WHERE number = ?"
        self.clear_large = f"DELETE FROM {large}"

        self.any_large = f"SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = {deleted}"

        self.lost = f"SELECT count(*) FROM ({numbers}) WHERE data NOT IN (SELECT number FROM {large})"
        self.orphans = f"SELECT count(*) FROM {large} WHERE number NOT IN ({numbers})"
        self.drop_orphans = f"DELETE FROM {large} WHERE number NOT IN ({numbers})"

    def _of_files(self, table: str, large: str, trigger: str) -> None:
        """Make the statements for large data in files."""
        files, dropped = quoted(f"{table}:files"), quoted(f"{table}:dropped")
        columns = "name TEXT PRIMARY KEY, planned INTEGER NOT NULL"
        name = "substr(old.data, instr(old.data, ' ') + 1)"
        drop = f"WHEN typeof(old.data) = 'text' BEGIN INSERT INTO {files} VALUES ({name}, 0); END"
        found = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name"
        self.make_files = (
            f"CREATE TABLE IF NOT EXISTS {files} ({columns}) WITHOUT ROWID",
            f"{trigger} {dropped} AFTER DELETE ON {large} {drop}",
        )
        self.has_files = f"{found} = {text(f'{table}:files')}"
        self.any_file = f"SELECT 1 FROM {files} LIMIT 1"
        self.plan_file = f"INSERT INTO {files} VALUES (?, 1)"
        self.planned_files = f"SELECT name FROM {files} WHERE planned = 1"
        self.dropped_files = f"SELECT name FROM {files} WHERE planned = 0"
        self.forget_file = f"DELETE FROM {files} WHERE name = ?"
        self.rows_of_files = f"SELECT data FROM {large} WHERE typeof(data) = 'text'"
        self.size_of_files = f"SELECT total(CAST(data AS INTEGER)) FROM {large} WHERE typeof(data) = 'text'"

    def page(self, columns: str, *, after: bool, before: bool) -> str:
        """Return the statement for a page of items that begins at or after an id."""
        end = " AND id < ?" if before else ""
        return (
            f"SELECT {columns} FROM {self.items} WHERE id {'>' if after else '>='} ?{end} ORDER BY id LIMIT ?"
        )
