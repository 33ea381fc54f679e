"""The table by which `PersisterWrapper` chooses between forwarding and a default is what the defaults do."""

import functools

import pytest

from four_methods import FourMethods
from holdall.abc import Persister, PersisterWrapper
from holdall.abc.wrapper import STANDS_ON
from holdall.conditional import ANY_ETAG, ITEM_NOT_AVAILABLE
from holdall.errors import UnsupportedError
from holdall.persisters.mapping import MappingPersister

CALLS = {
    "__contains__": lambda place: "a" in place,
    "__len__": len,
    "read": lambda place: place.read("a"),
    "read_unless": lambda place: place.read_unless("a", "another"),
    "ids": lambda place: list(place.ids("a")) + list(place.ids()),
    "pages": lambda place: list(place.pages()),
    "peek": lambda place: place.peek(),
    "glance": lambda place: place.glance("a", 10),
    "scan": lambda place: list(place.scan()),
    "read_many": lambda place: list(place.read_many(["a"])),
    "contents": lambda place: place.contents(),
    "folders": lambda place: place.folders(),
    "by_age": lambda place: list(place.by_age(newest=True)),
    "fetch": lambda place: place.fetch("a", 1),
    "reader": lambda place: place.reader("a").read(),
    "getter": lambda place: place.getter("a"),
    "put": lambda place: place.put("a", b"2"),
    "discard": lambda place: place.discard("a"),
    "write_many": lambda place: place.write_many([("a", b"2")]),
    "write_new": lambda place: place.write_new([("b", b"2")]),
    "write_dated": lambda place: place.write_dated([("a", b"2", 1.0)]),
    "remove_many": lambda place: place.remove_many(["a"]),
    "clear": lambda place: place.clear(),
}
# Defaults that are no better than nothing stand on what would make the inner answer wrong.
GIVEN_UP = {"contents", "folders"}
# Verbs of a wrapper that are made in another way than those of a persister.
OWN = {"read": {"__getitem__", "stat"}, "put": {"write"}}
VERBS = sorted({*STANDS_ON, *(verb for names in STANDS_ON.values() for verb in names)})


def recording():
    """Give a class that notes which verbs are called from the outside, and by the first of them."""

    def noting(verb, inherited):
        @functools.wraps(inherited)
        def method(self, *args, **kwargs):
            self.called.append((verb, self.depth))
            self.depth += 1
            try:
                result = inherited(self, *args, **kwargs)
                lazy = hasattr(result, "__next__") and not hasattr(result, "read")
                return iter(list(result)) if lazy else result
            finally:
                self.depth -= 1

        return method

    names = {}
    for verb in VERBS:
        inherited = getattr(FourMethods, verb)
        if verb == "getter":
            continue
        names[verb] = noting(verb, inherited)
    cls = type("Recording", (FourMethods,), names)
    place = cls(a=b"1")
    place.called, place.depth = [], 0
    return place


def transitive(verbs):
    known = set(verbs)
    while True:
        more = known.union(*(STANDS_ON.get(verb, ()) for verb in known))
        if more == known:
            return known
        known = more


@pytest.mark.parametrize("verb", STANDS_ON)
def test_the_table_names_what_a_default_calls(verb):
    if verb in GIVEN_UP:
        assert CALLS[verb](FourMethods(a=b"1")) is None
        return
    if verb == "write_dated":
        with pytest.raises(UnsupportedError):
            CALLS[verb](FourMethods(a=b"1"))
        return
    if verb in OWN:
        assert STANDS_ON[verb] == OWN[verb]
        return
    place = recording()
    CALLS[verb](place)
    own = 0 if verb == "getter" else 1
    called = {name for name, depth in place.called if depth == own and name != verb}
    if verb == "__contains__":  # it reads where there is nothing better than reading
        called -= {"__getitem__"}
    called -= {"__len__"} - {verb}  # by which lists guess how long they will be
    assert called <= STANDS_ON[verb], f"{verb} calls more than the table says"
    assert STANDS_ON[verb] <= transitive(called | {"stat", "remove"} & STANDS_ON[verb]), "the table says more"


@pytest.mark.parametrize(
    ("verb", "base"), [(verb, base) for verb, names in STANDS_ON.items() for base in names]
)
def test_a_verb_goes_through_what_a_subclass_changes(verb, base):
    changed = type("Changed", (PersisterWrapper,), {base: getattr(Persister, base, None)})
    assert getattr(changed, verb) is not getattr(PersisterWrapper, verb)
    later = type("Later", (changed,), {})
    assert getattr(later, verb) is getattr(changed, verb)


def test_verbs_that_nothing_changes_are_forwarded():
    class Named(PersisterWrapper):
        @property
        def place(self):
            return "a place of another name"

    for verb in STANDS_ON:
        assert getattr(Named, verb) is getattr(PersisterWrapper, verb)


def test_a_verb_that_a_class_writes_itself_stays():
    class Upper(PersisterWrapper):
        def __getitem__(self, id):
            return self.inner[id].upper()

        def read_many(self, ids):
            yield from ((id, b"by itself") for id in ids)

    place = Upper(MappingPersister({"a": b"x"}))
    assert place["a"] == place.fetch("a", 1) == place.read("a")[0] == place.getter("a") == b"X"
    assert list(place.read_many(["a"])) == [("a", b"by itself")]
    assert place.contents() is None
    assert place.reader("a").read() == b"X"


def test_plain_writes_go_through_a_changed_write():
    class Counted(PersisterWrapper):
        writes = 0

        def write(self, id, data, expected=ANY_ETAG):
            self.writes += 1
            return self.inner.write(id, data, expected)

    place = Counted(MappingPersister({}))
    place.put("a", 1)
    place["b"] = 2
    place.write_many([("c", 3), ("d", 4)])
    place.write("e", 5, ITEM_NOT_AVAILABLE)
    assert place.writes == 5
