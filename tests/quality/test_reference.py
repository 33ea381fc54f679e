"""The reference names everything public, and says of each place what may be raised and what it promises."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import holdall
from holdall import Persister, Reader, Store, archive, persisters, stores, wrappers

REFERENCE = Path(__file__).parents[2] / "docs" / "reference.md"


def _classes(package, base):
    """Return the public classes of a kind that a package has, in all of its modules."""
    found = {}
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, base):
                found[thing.__name__] = thing
    return found


PLACES = {
    **_classes(stores, Store),
    **_classes(persisters, Reader),
    **{name: thing for name, thing in vars(wrappers).items() if inspect.isclass(thing)},
    **{thing.__name__: thing for thing in (archive.ArchiveStore, archive.DataSet, holdall.SQLTables)},
}
PLACES = {
    name: thing for name, thing in PLACES.items() if issubclass(thing, Reader | Store | archive.DataSet)
}


def test_every_public_name_is_in_the_reference():
    text = REFERENCE.read_text(encoding="utf-8")
    named = set(re.findall(r"^\.\. (?:auto\w+|py:\w+):: ([\w.]+)", text, re.MULTILINE))
    named |= set(re.findall(r"^ {13}(\w+)$", text, re.MULTILINE))  # more names of one py:data
    modules = set(re.findall(r"^\.\. automodule:: ([\w.]+)", text, re.MULTILINE))
    last = {name.rpartition(".")[2] for name in named}
    for module in modules:
        last |= set(importlib.import_module(module).__all__)
    page = (REFERENCE.parent / "versions.md").read_text(encoding="utf-8")
    called_public = re.findall(r"^\| `(holdall\.\w+)` \|", page, re.MULTILINE)
    assert len(called_public) > 10
    public = {*holdall.__all__, "open"}
    public |= {name for name, thing in _classes(persisters, Reader).items() if "._" not in thing.__module__}
    for module in called_public:
        public |= set(importlib.import_module(module).__all__)
    assert public - last - {"__version__"} == set()


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_place_says_what_it_promises(name):
    """Threads, processes, crashes and cost, as they differ from place to place."""
    text = inspect.getdoc(PLACES[name])
    notes = text.partition("Notes\n-----")[2].lower()
    missing = [word for word in ("threads", "processes", "crash", "cost") if word not in notes]
    assert missing == []


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in PLACES.items() if not issubclass(kind, Persister))
)
def test_a_store_says_what_it_raises(name):
    assert "Raises\n------" in inspect.getdoc(PLACES[name])


@pytest.mark.parametrize(
    "name", sorted({*_classes(stores, Store), "ArchiveStore", "DataSet", "Archive", "Value"})
)
def test_a_store_has_its_page(name):
    """One of the how-to pages names it at its beginning."""
    pages = (REFERENCE.parent / "howto").glob("*.md")
    assert any(f"`{name}" in page.read_text(encoding="utf-8")[:1500] for page in pages)
