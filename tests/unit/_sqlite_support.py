"""What the tests of sqlite share."""

import sqlite3
from contextlib import closing, contextmanager

LARGE = 5000  # bytes: more than lie beside the id


HUGE = 3_000_000  # bytes: more than are bound whole


@contextmanager
def sql(path):
    """Open the file by hand."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        yield db


def rows_of_large(path, table="items"):
    with sql(path) as db:
        return db.execute(f'SELECT count(*) FROM "{table}:large"').fetchone()[0]
