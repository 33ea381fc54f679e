"""Errors of SQLite are sorted in one place, for all stores in its files."""

import errno
import sqlite3

import pytest

from holdall._sqlite.errors import is_damage, translate
from holdall.errors import (
    InvalidArgumentError,
    StoreFullError,
    StoreNotFoundError,
    StoreTimeoutError,
    StoreUnavailableError,
)


def error_of(code):
    error = sqlite3.OperationalError("it says so")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind", "number"),
    [
        (sqlite3.SQLITE_BUSY, StoreTimeoutError, errno.EBUSY),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StoreTimeoutError, errno.EBUSY),
        (sqlite3.SQLITE_LOCKED_SHAREDCACHE, StoreTimeoutError, errno.EBUSY),
        (sqlite3.SQLITE_FULL, StoreFullError, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_SHMSIZE, StoreFullError, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR_READ, StoreUnavailableError, errno.EIO),
        (sqlite3.SQLITE_NOTADB, StoreUnavailableError, errno.EIO),
        (sqlite3.SQLITE_CORRUPT_VTAB, StoreUnavailableError, errno.EIO),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreUnavailableError, errno.EACCES),
        (sqlite3.SQLITE_PERM, StoreUnavailableError, errno.EACCES),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailableError, errno.EACCES),
        (sqlite3.SQLITE_TOOBIG, InvalidArgumentError, None),
        (sqlite3.SQLITE_ERROR, StoreUnavailableError, 0),
    ],
)
def test_each_has_its_class_and_number(tmp_path, code, kind, number):
    for options in ({}, {"timeout": 0.5, "read_only": False}, {"timeout": 0.5, "read_only": True}):
        error = translate(error_of(code), "it failed", str(tmp_path / "x.db"), **options)
        assert (type(error), getattr(error, "errno", None)) == (kind, number)
        assert "it failed: " in str(error)
        assert ("read_only" in str(error)) <= ("read_only" in options), "no option that there is not"
    assert is_damage(error_of(code)) == (code & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


@pytest.mark.parametrize("form", ["{}", "file:{}?mode=rw"])
def test_a_file_that_cannot_be_there_is_told_by_the_system(tmp_path, form):
    (tmp_path / "text").touch()
    (tmp_path / "link").symlink_to("none/x.db")
    for name, kind, number in (
        ("none/x.db", StoreNotFoundError, errno.ENOENT),
        ("link", StoreNotFoundError, errno.ENOENT),
        ("text/x.db", StoreUnavailableError, errno.ENOTDIR),
        ("", StoreUnavailableError, errno.EISDIR),
    ):
        path = form.format(tmp_path / name)
        error = translate(error_of(sqlite3.SQLITE_CANTOPEN), "it failed", path, "the place")
        assert (type(error), error.errno, error.filename) == (kind, number, "the place")
