"""The statements of a ledger in a database."""

from typing import Final

from holdall._shown import shown
from holdall.errors import InvalidArgumentError
from holdall.persisters.sqlite._schema import next_version, quoted, text

__all__ = ["LEDGER_POLICIES", "LedgerStatements"]

#: The rank of an item by policy, lowest first; C is the clock of the ledger.
_RANKS: Final = {"lru": "stamp", "sieve": "stamp", "lfu": "C + uses", "gdsf": "C + uses * 1.0 / (size + 1)"}
LEDGER_POLICIES: Final = tuple(_RANKS)

# Bytes on the disk. Pages of small rows are about 70 % full with keys in any order; parts of a row are stored
# three times: in the row itself, its record, and its index entry. Larger data fill pages of 4096 bytes.
_ROW: Final = "((3 * length(new.id) + {data} + 64) * 7 / 5)"
_LARGE: Final = (
    "CASE WHEN typeof(data) = 'text' THEN (CAST(data AS INTEGER) + 4095) / 4096 * 4096 "
    "WHEN length(data) < 4000 THEN (length(data) + 12) * 5 / 4 "
    "ELSE (length(data) + 4091) / 4092 * 4096 END"
)


def row_size(length: int, nbytes: int, *, inline: bool, in_file: bool) -> int:
    """Return the size of an item as the statements count it, before it is written.

    Parameters
    ----------
    length
        The length of the id.
    nbytes
        The length of the data.
    inline
        Whether they are in one row.
    in_file
        Whether the data have a file of their own.
    """
    row = (3 * length + (nbytes if inline else 8) + 64) * 7 // 5
    if inline:
        return row
    if in_file:
        return row + (nbytes + 4095) // 4096 * 4096
    return row + ((nbytes + 12) * 5 // 4 if nbytes < 4000 else (nbytes + 4091) // 4092 * 4096)


class LedgerStatements:
    """The statements for the ledger of one table.

    Parameters
    ----------
    table
        Name of the table of items.
    policy
        One of `LEDGER_POLICIES`.

    Raises
    ------
    InvalidArgumentError
        If there is no such policy.
    """

    def __init__(self, table: str, policy: object) -> None:
        if policy not in _RANKS:
            raise InvalidArgumentError(
                f"policy is one of {', '.join(map(repr, _RANKS))} for a store on disk, got {shown(policy)}"
            )
        self._table = table
        items, large = quoted(table), quoted(f"{table}:large")
        bound, total = quoted(f"{table}:bound"), quoted(f"{table}:total")
        clock = f"(SELECT clock FROM {total})"
        rank = _RANKS[str(policy)].replace("C", clock)
        moves = policy != "sieve"
        self.items, self.bound, self.total = items, bound, total
        self.found = f"SELECT 1 FROM sqlite_master WHERE name = {text(f'{table}:total')}"
        self.policy = f"SELECT policy FROM {total}"
        columns = (
            "id TEXT PRIMARY KEY, size INTEGER NOT NULL, stamp INTEGER NOT NULL, uses INTEGER NOT NULL, "
            "rank NOT NULL, expires REAL"
        )
        by_rank, by_expiry = quoted(f"{table}:by rank"), quoted(f"{table}:by expiry")
        count = f"UPDATE {total} SET bytes = bytes"
        self.tables = (
            f"CREATE TABLE {bound} ({columns}) WITHOUT ROWID",
            f"CREATE INDEX {by_rank} ON {bound} (rank, stamp)",
            f"CREATE INDEX {by_expiry} ON {bound} (expires) WHERE expires IS NOT NULL",
            f"CREATE TABLE {total} (policy TEXT, bytes INTEGER, items INTEGER, clock REAL, hand INTEGER)",
            f"INSERT INTO {total} VALUES ('', 0, 0, 0.0, 0)",
        )
        #: For records that are entered without triggers.
        self.counting = (
            self._trigger("enters", f"INSERT ON {bound}", f"{count} + new.size, items = items + 1"),
            self._trigger("leaves", f"DELETE ON {bound}", f"{count} - old.size, items = items - 1"),
            self._trigger("changes", f"UPDATE OF size ON {bound}", f"{count} + new.size - old.size"),
        )
        self.use_policy = (
            f"UPDATE {total} SET policy = ?, clock = 0.0, hand = 0",
            f"UPDATE {bound} SET uses = min(uses, 1), rank = {rank}",
        )
        again = f"uses = uses + 1, rank = {rank.replace('uses', '(uses + 1)')}," if moves else "uses = 2,"
        self._triggers_of_items(large, rank, again, count)

        self.enter = (
            f"INSERT INTO {bound} SELECT id, size, stamp, 1, {rank}, NULL "
            "FROM (SELECT ? AS id, ? AS size, ? AS stamp, 1 AS uses) WHERE true "
            f"ON CONFLICT (id) DO UPDATE SET size = excluded.size, stamp = excluded.stamp, expires = NULL, "
            + (f"uses = {bound}.uses + 1, rank = excluded.rank" if moves else "uses = 2")
        )
        self.leave = f"DELETE FROM {bound} WHERE id = ?"
        self.leave_all = f"DELETE FROM {bound}"
        # Each argument occurs once, in order: Python no longer accepts numbered ones with a sequence.
        used = {
            "lru": (
                "uses = uses + ?, (stamp, rank) = "
                "(SELECT max(stamp, latest), max(rank, latest) FROM (SELECT ? AS latest))"
            ),
            "sieve": "uses = min(uses + ?, 2), stamp = max(stamp, ?)",
        }.get(
            str(policy),
            f"(uses, rank) = (SELECT uses + more, {rank.replace('uses', '(uses + more)')} "
            "FROM (SELECT ? AS more)), stamp = max(stamp, ?)",
        )
        self.use = f"UPDATE {bound} SET {used} WHERE id = ?"
        self.totals = f"SELECT bytes, items FROM {total}"
        self.set_expiry = f"UPDATE {bound} SET expires = ? WHERE id = ? RETURNING 1"
        self.expiry = f"SELECT expires FROM {bound} WHERE id = ?"
        expired = f"SELECT 1 FROM {bound} AS record WHERE record.id = {items}.id AND expires <= ?"
        self.bury = f"DELETE FROM {items} WHERE id = ? AND EXISTS ({expired})"
        self.expired = f"SELECT id, size, rank FROM {bound} WHERE expires <= ? LIMIT ? OFFSET ?"
        self.first = f"SELECT id, size, rank FROM {bound} ORDER BY rank, stamp LIMIT ? OFFSET ?"
        self.tick = f"UPDATE {total} SET clock = max(clock, ?)"
        self.hand = f"SELECT hand FROM {total}"
        self.move_hand = f"UPDATE {total} SET hand = ?"
        self.ahead = f"SELECT id, size, rank, uses FROM {bound} WHERE rank > ? ORDER BY rank, stamp LIMIT ?"
        self.pass_by = f"UPDATE {bound} SET uses = 1 WHERE id = ?"
        self.put = (
            f"INSERT INTO {items} VALUES (?, {next_version(table)}, ?) ON CONFLICT DO UPDATE "
            "SET version = max(version + 1, excluded.version), data = excluded.data "
            f"RETURNING (SELECT bytes FROM {total}), (SELECT items FROM {total})"
        )
        self.known = f"SELECT id, size FROM {bound}"

    def _trigger(self, name: str, event: str, action: str) -> str:
        return f"CREATE TRIGGER {quoted(f'{self._table}:{name}')} AFTER {event} BEGIN {action}; END"

    def _triggers_of_items(self, large: str, rank: str, again: str, count: str) -> None:
        """Make the triggers by which a table keeps its own ledger; few programs are faster."""
        items, bound = self.items, self.bound
        size = (
            f"CASE typeof(new.data) WHEN 'blob' THEN {_ROW.format(data='length(new.data)')} "
            f"ELSE {_ROW.format(data='8')} + (SELECT {_LARGE} FROM {large} WHERE number = new.data) END"
        )
        names = [quoted(f"{self._table}:{event}") for event in ("inserted", "updated", "removed")]
        first_rank = rank.replace("stamp", "new.version").replace("uses", "1")
        record = f"new.id, {size}, new.version, 1, {first_rank.replace('(size + 1)', f'({size} + 1)')}, NULL"
        changed = again.replace("(size + 1)", f"({size} + 1)").replace("= stamp", "= new.version")
        changed += f" size = {size}, stamp = new.version, expires = NULL"
        known = f"(SELECT size FROM {bound} WHERE id = old.id)"
        self.drop_triggers = tuple(f"DROP TRIGGER IF EXISTS {name}" for name in names)
        self.triggers = (
            self._trigger(
                "inserted",
                f"INSERT ON {items}",
                f"INSERT INTO {bound} VALUES ({record}); {count} + {size}, items = items + 1",
            ),
            self._trigger(
                "updated",
                f"UPDATE OF data ON {items}",
                f"{count} + {size} - {known}; UPDATE {bound} SET {changed} WHERE id = new.id",
            ),
            self._trigger(
                "removed",
                f"DELETE ON {items}",
                f"{count} - {known}, items = items - 1; DELETE FROM {bound} WHERE id = old.id",
            ),
        )
        self.fill = (
            f"INSERT INTO {bound} SELECT {record.replace('new.', f'{items}.')} FROM {items}",
            f"UPDATE {self.total} SET (bytes, items) = (SELECT total(size), count(*) FROM {bound})",
        )
