"""What a database of LMDB records of itself: its format, its name, and the options of its tables."""

import json
import os
import secrets
from typing import Any, Final

import lmdb

from holdall._options import checked_path
from holdall._posix.names import fs_path
from holdall.errors import MismatchError
from holdall.persisters.lmdb._environment import Environment, Transaction

__all__ = ["META", "prepare", "recorded"]

_FORMAT: Final = 1
#: The table of what is recorded.
META: Final = "holdall"


def prepare(environment: Environment, txn: Transaction, table: str, record: dict[str, Any]) -> Any:
    """Compare the recorded options of a table, or record them; return database name and table."""
    path, read_only = environment.path, environment.read_only
    with txn.cursor() as cursor:  # over the names of tables, or anything else in it
        foreign = cursor.first() and not cursor.set_key(META.encode())
    meta = None if foreign else environment.table(META, txn)
    if meta is None:
        raise MismatchError(f"{path} is a LMDB database that holdall did not make")
    found = txn.get(b"format", db=meta)
    if found is None and not read_only:
        txn.put(b"format", str(_FORMAT).encode(), db=meta)
        txn.put(b"name", secrets.token_hex(4).encode(), db=meta)
    elif found != str(_FORMAT).encode():
        known = "none" if found is None else bytes(found).decode("ascii", "replace")
        raise MismatchError(
            f"{path} has format {known}, this version of holdall reads {_FORMAT}: update holdall"
        ).about(location=path)
    key = b"table " + table.encode()
    noted = txn.get(key, db=meta)
    if noted is None and not read_only:
        txn.put(key, json.dumps(record).encode(), db=meta)
    elif noted is not None:
        _compare(json.loads(noted), record, f"table {table!r} of {path}")
    return str(txn.get(b"name", db=meta).decode()), environment.table(table, txn)


def _compare(made: dict[str, Any], wanted: dict[str, Any], location: str) -> None:
    for option, value in wanted.items():
        if made.get(option, value) != value:
            raise MismatchError(
                f"{location} was made with {option} {made[option]!r} and is opened with {value!r}: "
                "open it with what it was made with, or take another table",
            )


def recorded(path: str | os.PathLike[str], table: str) -> dict[str, Any]:
    """Return the options that a table was made with; none if they were not recorded.

    Parameters
    ----------
    path
        The folder of the database.
    table
        The table.
    """
    folder = os.path.abspath(fs_path(checked_path(path, "folder")))
    if not os.path.exists(os.path.join(folder, "data.mdb")):
        return {}

    def work(env: Any, txn: Transaction) -> Any:
        try:
            meta = env.open_db(META.encode(), txn=txn, create=False)
        except lmdb.NotFoundError:
            return {}
        noted = txn.get(b"table " + table.encode(), db=meta)
        return {} if noted is None else json.loads(noted)

    return dict(Environment.look(folder, work) or {})
