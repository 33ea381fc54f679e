"""Folders and databases."""

import contextlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from golden._case import Items, case, stored
from golden._values import LONG, keys, serialized
from holdall import FileDirStore, LmdbStore, MultiFormatStore, SpillStore, SQLiteStore, SQLStore
from holdall.serializers import by_suffix
from holdall.wrappers import bounded

__all__ = ["LITERALS"]

# ---------------------------------------------------------------------- folders

for _name, (_needs, _values) in serialized().items():
    stored(
        f"serializers/{_name}",
        lambda folder, name=_name: FileDirStore(folder, serializer=name),
        lambda values=_values: list(values().items()),
        again=FileDirStore,
        needs=_needs,
    )

for _name, (_codec, _keys) in keys().items():
    _hidden = {"hidden": True} if _name == "hidden" else {}
    stored(
        f"keys/{_name}",
        lambda folder, codec=_codec, how=_hidden: FileDirStore(folder, serializer="json", keys=codec, **how),
        [(key, number) for number, key in enumerate(_keys)],
        again=lambda folder, how=_hidden: FileDirStore(folder, **how),
        lists=_name != "digest",  # which does not tell keys
    )

_MIXED = [
    ("a.json", {"x": [1]}),
    ("b.txt", "text"),
    ("c.pkl", {1, 2}),
    ("d.csv.gz", [["1", "2"]]),
    ("e.bin", b"\0"),
]
stored(
    "by_suffix",
    lambda folder: FileDirStore(folder, serializer=by_suffix()),
    _MIXED,
)


@case("multiformat", [("json", {"a": {"x": 1}}), ("text", {"a": "one", "b/c": "two"})])
class _MultiFormat:
    @staticmethod
    def write(folder: Path) -> None:
        with closing(MultiFormatStore(folder, json="json", text="text")) as store:
            store.json["a"] = {"x": 1}
            store.text.update({"a": "one", "b/c": "two"})

    @staticmethod
    @contextlib.contextmanager
    def read(folder: Path) -> Iterator[Any]:
        with closing(MultiFormatStore(folder, json="json", text="text")) as store:
            yield {"json": dict(store.json), "text": dict(store.text)}


# ---------------------------------------------------------------------- databases

LITERALS = [(key, {"number": number}) for number, key in enumerate(keys()["any"][1])]
_LARGE = [("long", LONG), (("x", 1), [LONG, 2]), ("short", {"a": None})]
_BY_YEAR = [(("de", 2024), "x"), (("fr", -1), "y")]
_TABLES: dict[str, Items] = {"items": LITERALS, "years": _BY_YEAR, "an 'odd' name": _LARGE}


def _table(folder: Path, table: str, **options: Any) -> Any:
    return SQLiteStore(folder / "data.db", table=table, **options)


class _Tables:
    @staticmethod
    def write(folder: Path) -> None:
        for table, options in {
            "items": {"serializer": "json"},
            "years": {"serializer": "text", "keys": "{country}/{year:d}"},
            "an 'odd' name": {"files_from": 2000},
        }.items():
            with closing(_table(folder, table, **options)) as store:
                for key, value in _TABLES[table]:
                    store[key] = "to be written over"
                    store[key] = value
                if table == "items":
                    store["gone"] = 1
                    del store["gone"]
        with closing(_bounded_table(folder)) as store:
            _use(store)


for _name, _items in _TABLES.items():

    class _Table(_Tables):
        @staticmethod
        def read(folder: Path, table: str = _name) -> Any:
            return closing(_table(folder, table))

    case(
        "sqlite" if _name == "items" else f"sqlite {_name}", _items, of="" if _name == "items" else "sqlite"
    )(_Table)

stored("spill/database", lambda folder: SpillStore(folder, memory=1000), _LARGE, again=SpillStore)
stored("spill/files", lambda folder: SpillStore(folder, file_per_value=True), _LARGE, again=SpillStore)
stored(
    "sql",
    lambda folder: SQLStore(f"sqlite:///{folder}/data.db", table="runs"),
    [("a", {"x": 1}), (("b", 2), [LONG])],
    needs=("sqlalchemy",),
)
stored("lmdb", lambda folder: LmdbStore(folder / "data", serializer="json"), LITERALS, needs=("lmdb",))

#: What is left in a bounded store that was used like this: "b" went for "d".
_USED = [("a", 1), ("c", 3), ("d", 4)]


def _use(store: Any) -> None:
    store.update({"a": 1, "b": 2, "c": 3})
    store.set("a", 1, ttl=4e9)
    assert [store["a"], store["c"], store["a"]] == [1, 3, 1]
    store["d"] = 4


def _bounded_table(folder: Path) -> Any:
    return bounded(_table(folder, "bounded", serializer="json"), max_items=3, policy="lru")


def _bounded_folder(folder: Path) -> Any:
    return bounded(FileDirStore(folder, serializer="json"), max_items=3, policy="sieve")


@case("sqlite bounded", _USED, of="sqlite")
class _BoundedTable(_Tables):
    @staticmethod
    def read(folder: Path) -> Any:
        return closing(_bounded_table(folder))


@case("bounded", _USED)
class _BoundedFolder:
    @staticmethod
    def write(folder: Path) -> None:
        with closing(_bounded_folder(folder)) as store:
            _use(store)

    @staticmethod
    def read(folder: Path) -> Any:
        return closing(_bounded_folder(folder))
