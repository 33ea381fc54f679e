"""What pages promise of each store is what the store claims, and no store is left out."""

import re
from pathlib import Path

import pytest

from holdall import (
    ArchiveStore,
    FileDirStore,
    FsspecStore,
    LmdbStore,
    MemoryStore,
    MongoStore,
    RedisStore,
    ScriptStore,
    SpillStore,
    SQLiteStore,
    SQLStore,
    ZipStore,
)
from holdall.stores.document import DocumentStore

ROOT = Path(__file__).parents[2]
SCOPES = ["CAS_WORLD", "CAS_HOST", "CAS_THREADS"]  # the widest first
MAKERS = {
    "MemoryStore": lambda _: MemoryStore(),
    "FileDirStore": FileDirStore,
    "SQLiteStore": SQLiteStore,
    "LmdbStore": LmdbStore,
    "ScriptStore": lambda path: ScriptStore(_script(path)),
    "ArchiveStore": ArchiveStore,
    "DocumentStore": lambda path: DocumentStore(f"{path}.json"),
    "ZipStore": ZipStore,
    "SpillStore": SpillStore,
    "SQLStore": lambda path: SQLStore(f"sqlite:///{path}"),
    "RedisStore": lambda _: RedisStore("redis://localhost:1/0"),  # which asks nobody before it is used
    "MongoStore": lambda _: MongoStore("mongodb://localhost:1/a.b"),
    "FsspecStore": lambda _: FsspecStore("memory://promises"),
}


def _script(path):
    script = path.with_suffix(".py")
    script.write_text("")
    return script


def _table(page, title):
    """Return the first and the last cell of each row below a heading."""
    text = (ROOT / "docs" / "explanation" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*) \|$", text.partition(title)[2], re.MULTILINE)
    return [(row.split(" | ")[0], row.split(" | ")[-1]) for row in rows]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore:values are spilled to")  # the folder of a test may lie in memory
def test_a_store_compares_and_swaps_as_far_as_the_page_says(name, tmp_path):
    told = [last for first, last in _table("conditional.md", "## How far it reaches") if f"`{name}`" in first]
    with MAKERS[name](tmp_path / "place") as store:
        claims = {capability.name for capability in store.pipeline.persister.capabilities}
    widest = next((f"`{scope}`" for scope in SCOPES if scope in claims), "none")
    assert told == [widest]


@pytest.mark.parametrize("name", sorted({*MAKERS, "S3Store", "SQLRows"}))
def test_durability_is_told_of_every_store(name):
    assert any(f"`{name}" in first for first, _ in _table("durability.md", "# Durability"))
