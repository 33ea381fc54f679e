"""Every persister passes the one suite."""

import re
import sqlite3
import time
import zlib
from collections.abc import MutableMapping
from contextlib import closing

import pytest

from exploring import AMONG_PROCESSES, soaks
from holdall import Persister, PersisterWrapper, Reader
from holdall.abc import Capability
from holdall.persisters.files import FilesPersister
from holdall.persisters.guards import AppendOnlyPersister, ReadOnlyPersister
from holdall.persisters.mapping import MappingPersister
from holdall.persisters.null import NullPersister
from holdall.persisters.script import ScriptPersister
from holdall.persisters.sqlite import SqlitePersister
from holdall.stores.sqlite import database
from holdall.testing import PersisterContract


class TestFiles(PersisterContract):
    def open(self, place):
        return FilesPersister(place / "files")

    def raw_read(self, place, id):
        return (place / "files" / id).read_bytes()

    def raw_write(self, place, id, data):
        (place / "files" / id).write_bytes(data)

    def break_place(self, place):
        (place / "files").rename(place / "moved")
        (place / "files").write_text("no folder")


@pytest.mark.soak
class TestFilesThatSurviveAPowerCut(PersisterContract):
    def open(self, place):
        return FilesPersister(place / "files", durability="power", guard=True)


@pytest.mark.soak
class TestFilesWithAllChecks(PersisterContract):
    def open(self, place):
        return FilesPersister(place / "files", hidden=False, max_levels=3, record={"serializer": "x"})


class TestFilesReadOnly(PersisterContract):
    def open(self, place):
        (place / "files").mkdir(exist_ok=True)
        return FilesPersister(place / "files", read_only=True)

    def fill(self, persister, place):
        return super().fill(FilesPersister(place / "files"), place)


class TestSqlite(PersisterContract):
    def open(self, place):
        return SqlitePersister(place / "store.db")

    def raw_read(self, place, id):
        with closing(sqlite3.connect(place / "store.db")) as db:
            return db.execute("SELECT data FROM items WHERE id = ?", (id,)).fetchone()[0]

    def raw_write(self, place, id, data):
        with closing(sqlite3.connect(place / "store.db", isolation_level=None)) as db:
            db.execute("UPDATE items SET data = ?, version = version + 1 WHERE id = ?", (data, id))

    def break_place(self, place):
        (place / "store.db").rename(place / "moved.db")
        (place / "store.db").write_text("no database")


@pytest.mark.soak
class TestSqliteWithLargeData(PersisterContract):
    """Each datum lies in the table for large ones."""

    def open(self, place):
        return SqlitePersister(place / "store.db", table="a table", durability="power", guard=True)

    def data(self, number):
        return b"%d" % number + b" " * 3000


@soaks(*AMONG_PROCESSES)
class TestSqliteWithFiles(PersisterContract):
    """Each datum lies in a file of its own beside the database."""

    def open(self, place):
        return database(place / "store.db", files_from=1000)

    def data(self, number):
        return b"%d" % number + b" " * 3000

    def raw_read(self, place, id):
        with open(self.open(place).file_of(id), "rb") as file:
            return file.read()

    def break_place(self, place):
        (place / "store.db").rename(place / "moved.db")
        (place / "store.db").write_text("no database")


@pytest.mark.soak
class TestSqliteWithFilesForSome(PersisterContract):
    """Every second datum lies in a file, of a table of its own."""

    def open(self, place):
        return database(place / "store.db", table="a table", durability="power", guard=True, files_from=2000)

    def data(self, number):
        return b"%d" % number + b" " * 3000 * (number % 2)


class TestSqliteReadOnly(PersisterContract):
    def open(self, place):
        SqlitePersister(place / "store.db").close()
        return SqlitePersister(place / "store.db", read_only=True)

    def fill(self, persister, place):
        return super().fill(SqlitePersister(place / "store.db"), place)


class TestScript(PersisterContract):
    """The block of a script; read and written round the persister as the page on formats tells."""

    def open(self, place):
        return ScriptPersister(place / "script.py", create=True)

    def raw_read(self, place, id):
        found = rb"^# \"?%b\"? = (.*) #: [0-9a-f]{16} [0-9a-f]{8}$" % id.encode()
        return re.findall(found, (place / "script.py").read_bytes(), re.MULTILINE)[-1]

    def raw_write(self, place, id, data):
        body = b"%b = %b #: %016x" % (id.encode(), data, time.time_ns())
        with open(place / "script.py", "ab") as file:
            file.write(b"# %b %08x\n" % (body, zlib.crc32(body)))

    def break_place(self, place):
        (place / "script.py").rename(place / "moved.py")
        (place / "script.py").mkdir()


@pytest.mark.soak
class TestScriptWithCode(PersisterContract):
    """A script of a Windows editor, with a marker in its docstring, and text below its data."""

    CODE = (
        b"\xef\xbb\xbf#!/usr/bin/env python\r\n'''Shows\r\n"
        b"# === holdall data 1: kept by this script, edit above this line ===\r\n# n = 1\r\n'''\r\n"
        b"print()  # no newline at the end"
    )

    def open(self, place):
        path = place / "script.py"
        if not path.exists():
            path.write_bytes(self.CODE)
            first = ScriptPersister(path)
            first["x"] = b"1"
            del first["x"]
            first.close()
            with open(path, "ab") as file:
                file.write(b"print('below')")
        assert path.read_bytes().startswith(self.CODE)
        return ScriptPersister(path, guard=True)


class TestDict(PersisterContract):
    def open(self, place):
        return MappingPersister({})


class Plain(MutableMapping):
    """A mapping by hand, whose values are made anew at each look."""

    def __init__(self):
        self.inner = {}

    def __getitem__(self, id):
        return bytes(list(self.inner[id]))

    def __setitem__(self, id, data):
        self.inner[id] = data

    def __delitem__(self, id):
        del self.inner[id]

    def __iter__(self):
        return iter(list(self.inner))

    def __len__(self):
        return len(self.inner)


@pytest.mark.soak
class TestForeignMapping(PersisterContract):
    def open(self, place):
        return MappingPersister(Plain())


class FourMethods(Persister):
    """The least that a persister can be."""

    def __init__(self):
        self.inner = {}

    def __getitem__(self, id):
        return self.inner[id]

    def __setitem__(self, id, data):
        self.inner[id] = data

    def __delitem__(self, id):
        del self.inner[id]

    def __iter__(self):
        return iter(list(self.inner))


class TestFourMethods(PersisterContract):
    def open(self, place):
        return FourMethods()


class TestWrapper(PersisterContract):
    def open(self, place):
        return PersisterWrapper(MappingPersister({}))


@pytest.mark.soak
class TestWrapperOfFiles(PersisterContract):
    def open(self, place):
        return PersisterWrapper(FilesPersister(place / "files"))


class TwoMethods(Reader):
    """The least that a read-only place can be."""

    items = {"a": b"0", "folder/b": b"1"}

    def __getitem__(self, id):
        return self.items[id]

    def __iter__(self):
        return iter(self.items)


class TestTwoMethods(PersisterContract):
    def open(self, place):
        return TwoMethods()

    def fill(self, persister, place):
        return dict(TwoMethods.items)


class TestReadOnly(PersisterContract):
    def open(self, place):
        return ReadOnlyPersister(FilesPersister(place / "files"))

    def fill(self, persister, place):
        return super().fill(persister.inner, place)


class TestNull(PersisterContract):
    def open(self, place):
        return NullPersister()

    def fill(self, persister, place):
        persister["a"] = b"1"
        return {}

    def test_a_read_only_place_refuses_writes(self, place):
        """The null place is the one that accepts what it does not keep."""
        persister = self.open(place)
        persister.put("a", b"1")
        persister.write_many([("a", b"1")])
        assert list(persister) == []


class TestAppendOnly:
    """Append-only places break the laws of replacing on purpose; these are theirs."""

    @pytest.fixture(params=[lambda place: MappingPersister({}), FilesPersister])
    def persister(self, request, tmp_path):
        return AppendOnlyPersister(request.param(tmp_path))

    def test_items_are_added_and_stay(self, persister):
        from holdall import ITEM_NOT_AVAILABLE, ConflictError, ReadOnlyError
        from holdall.conditional import ANY_ETAG

        first = persister.write("a", b"1")
        persister.put("b", b"2")
        persister["c"] = b"3"
        persister.write_many([("d", b"4")])
        for refused in (
            lambda: persister.put("a", b"x"),
            lambda: persister.__setitem__("a", b"x"),
            lambda: persister.write("a", b"x", ANY_ETAG),
            lambda: persister.write("a", b"x", first.etag),
            lambda: persister.write_many([("a", b"x")]),
            lambda: persister.remove("a"),
            lambda: persister.remove("a", first.etag),
            lambda: persister.__delitem__("a"),
            lambda: persister.remove_many(["a"]),
            persister.clear,
        ):
            with pytest.raises(ReadOnlyError):
                refused()
        with pytest.raises(ConflictError):
            persister.write("a", b"x", ITEM_NOT_AVAILABLE)
        with pytest.raises(ConflictError):
            persister.write("a", b"x", "another etag")
        with pytest.raises(ConflictError):
            persister.write("new", b"x", "another etag")
        with pytest.raises(KeyError):
            persister.remove("absent")
        assert {id: persister[id] for id in persister} == {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}
        assert Capability.WRITABLE in persister.capabilities
