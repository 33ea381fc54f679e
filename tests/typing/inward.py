"""What type checkers must refuse of what goes into stores; checked by mypy, not run.

An ignore that is not needed is an error, so each of them says that the line is refused.
"""

from pathlib import Path
from typing import Any, assert_type

import holdall
from holdall import (
    DELETE_CURRENT,
    KEEP_CURRENT,
    ArchiveStore,
    DataSet,
    FileDirStore,
    LmdbStore,
    MemoryStore,
    MultiFormatStore,
    S3Store,
    ScriptStore,
    SpillStore,
    SQLiteStore,
    Store,
    TransformResult,
    Value,
    ZipStore,
)
from holdall.stores.document import DocumentStore
from holdall.wrappers import bounded, overlay

tables: FileDirStore[str, dict[str, int]] = FileDirStore("tables")
counts: SQLiteStore[str, int] = SQLiteStore("counts.db")
places: MemoryStore[tuple[str, int], bytes] = MemoryStore()
anything: Store[Any, Any] = Store({})

# Without an annotation, keys and values are any; with one, they are what it says, wherever it stands.
assert_type(FileDirStore("x"), FileDirStore[Any, Any])
assert_type(SQLiteStore("x.db")["a", 1], Any)
with SQLiteStore("x.db") as opened:
    assert_type(opened, SQLiteStore[Any, Any])
assert_type(Store({"a": 1}), Store[Any, Any])


def takes_counts(store: SQLiteStore[str, int]) -> None:
    store["a"] = "text"  # type: ignore[assignment]


takes_counts(SQLiteStore("counts.db"))

# Plain verbs.
tables["a"] = {"x": 1}
tables["a"] = DELETE_CURRENT
tables["a"] = 3  # type: ignore[assignment]
tables["a"] = {"x": "y"}  # type: ignore[dict-item]
tables[5] = {"x": 1}  # type: ignore[index]
places[("x", 1)] = b"1"
places["x"] = b"1"  # type: ignore[index]
anything[5] = object()
counts.setdefault("a", 3)
counts.setdefault("a", "b")  # type: ignore[call-overload]
counts |= {"a": 1}

# Many at once.
counts.update({"a": 1}, b=2)
counts.update({"a": KEEP_CURRENT})
counts.update([("a", 1)], print)
counts.update(a=1)
counts.update(a=DELETE_CURRENT)
counts.update(MemoryStore[str, int]())
places.update({("x", 1): b"1"})
places.update([(("x", 1), b"1")])
anything.update({5: object()})
anything.update({"y": object()}, x=3)
counts.update({"a": "b"})  # type: ignore[dict-item]
counts.update([("a", "b")])  # type: ignore[list-item]
counts.update(a="b")  # type: ignore[call-overload]
places.update({"x": b"1"})  # type: ignore[dict-item]
counts.copy_to(MemoryStore[str, int]())
counts.copy_to({}, only_new=True, on_error="skip", progress=print)
counts.copy_to("elsewhere")  # type: ignore[arg-type]
counts.copy_to(Path("elsewhere"))  # type: ignore[arg-type]
counts.copy_to({}, on_error="ignore")  # type: ignore[arg-type]

# Changes.
assert_type(counts.transform_item("a", lambda n: n + 1, 0), TransformResult[int])
assert_type(counts.transform_item("a", transformer=lambda n: n + 1), TransformResult[int])
counts.transform_item("a", lambda n: KEEP_CURRENT if n > 3 else n, default=0)
counts.transform_item("a", lambda _: "text")  # type: ignore[arg-type,return-value]
counts.transform_item("a", lambda n: n, "text")  # type: ignore[call-overload]
assert_type(counts.increment("a", 2), int)
counts.increment("a", "b")  # type: ignore[arg-type]
with tables.edit("a", default={}) as table:
    assert_type(table, dict[str, int])
with tables.edit("a", default=3) as table:  # type: ignore[arg-type]
    pass
SpillStore[str, int]().update({"a": "b"}, overwrite=False)  # type: ignore[arg-type]

# Closed sets of options.
FileDirStore[str, int]("x", durability="power", mmap_mode="r")
FileDirStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
FileDirStore[str, int]("x", mmap_mode="r+")  # type: ignore[arg-type]
SQLiteStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
LmdbStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
MultiFormatStore("x", "json", durability="powr")  # type: ignore[arg-type]
DocumentStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
ScriptStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
ScriptStore[str, int](fallback="nowhere")  # type: ignore[arg-type]
Value(1, fallback="nowhere")  # type: ignore[arg-type]
ZipStore[str, int]("x", durability="powr")  # type: ignore[arg-type]
ZipStore[str, int]("x", compression="zip")  # type: ignore[arg-type]
S3Store[str, int]("x", engine="boto")  # type: ignore[arg-type]
SpillStore[str, int](writeback="sometimes")  # type: ignore[arg-type]
SpillStore[str, int](sync="never")  # type: ignore[arg-type]
SpillStore[str, int](policy="lur")  # type: ignore[arg-type]
ArchiveStore[str, int]("x", data_format="pickle")  # type: ignore[arg-type]
DataSet("x", "rw")  # type: ignore[arg-type]
bounded(counts, policy="lur")  # type: ignore[call-overload]
overlay(counts, write="last")  # type: ignore[call-overload]

# The one name that `*` leaves out is exported all the same.
assert_type(holdall.open("dir:x", serializer="json"), Store[Any, Any])
