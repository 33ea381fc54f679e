"""read_only, append_only and write_once: by every verb, on everything that can be wrapped."""

import copy
import pickle
import threading
from types import MappingProxyType

import pytest

from holdall import DELETE_CURRENT, KEEP_CURRENT, FileDirStore, MemoryStore, NullStore, Store
from holdall.abc import PersisterWrapper
from holdall.conditional import ANY_ETAG, ETAG_IS_THE_SAME, ITEM_NOT_AVAILABLE
from holdall.errors import HoldallError, InvalidArgumentError, MismatchError, ReadOnlyError
from holdall.persisters.mapping import MappingPersister
from holdall.wrappers import append_only, read_only, write_once, write_once_checks
from holdall.wrappers._same import same_value


@read_only
class Shown(Store):
    """What may be seen."""

    def first(self):
        return self["a"]


Locked = read_only(FileDirStore)


def changes_of(store):
    """Give every way to change or delete the item "a"."""
    etag = store.etag("a")
    return [
        lambda: store.__setitem__("a", 2),
        lambda: store.__delitem__("a"),
        lambda: store.__setitem__("a", DELETE_CURRENT),
        lambda: store.pop("a"),
        lambda: store.pop("a", None),
        store.popitem,
        lambda: store.update({"a": 2}),
        lambda: store.update(a=2),
        lambda: store.__ior__({"a": 2}),
        store.clear,
        lambda: store.clear(force=True),
        lambda: store.discard("a"),
        lambda: store.set_item_if("a", value=2, condition=ANY_ETAG, expected_etag=etag),
        lambda: store.set_item_if("a", value=2, condition=ETAG_IS_THE_SAME, expected_etag=etag),
        lambda: store.set_item_if("a", value=DELETE_CURRENT, condition=ANY_ETAG, expected_etag=etag),
        lambda: store.discard_if("a", condition=ANY_ETAG, expected_etag=etag),
        lambda: store.transform_item("a", transformer=lambda _: 2),
        lambda: store.transform_item("a", transformer=lambda _: DELETE_CURRENT),
        lambda: store.get_subdict("x") and store.__delitem__("a"),
    ]


@pytest.mark.parametrize("number", range(19))
def test_a_read_only_store_is_changed_by_no_verb(number):
    inner = {"a": 1, "x/y": 3}
    store = read_only(inner)
    with pytest.raises(ReadOnlyError):
        changes_of(store)[number]()
    assert store == inner == {"a": 1, "x/y": 3}
    with pytest.raises(ReadOnlyError):
        store["new"] = 1
    with pytest.raises(ReadOnlyError):
        store.setdefault("new", 1)
    with pytest.raises(ReadOnlyError):
        store.get_subdict("x")["y"] = 1


@pytest.mark.parametrize("number", range(19))
def test_an_append_only_store_only_grows(number):
    store = append_only({"a": 1, "x/y": 3})
    with pytest.raises(ReadOnlyError):
        changes_of(store)[number]()
    store["new"] = 1
    assert store == {"a": 1, "x/y": 3, "new": 1}


def test_what_is_given_stays_writable():
    store = MemoryStore({"a": 1})
    shown = read_only(store)
    store["a"] = 2
    assert shown["a"] == 2
    assert type(shown) is MemoryStore
    assert read_only(shown) == store
    plain = {"a": 1}
    read_only(plain)
    plain["b"] = 1

    class Mine(Store):
        pass

    read_only(Mine)
    Mine()["a"] = 1


def test_a_class_becomes_a_subclass_with_name_and_documentation():
    assert Shown.__name__ == "Shown"
    assert Shown.__doc__ == "What may be seen."
    assert Shown.__module__ == __name__
    shown = Shown({"a": 1})
    assert isinstance(shown, Store)
    assert shown.first() == 1
    with pytest.raises(ReadOnlyError):
        shown["a"] = 2
    assert Shown(persister={"b": 2}) == {"b": 2}


def test_wrapped_instances_and_classes_pickle(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    store["a"] = 1
    for wrapped in (read_only(store), Locked(tmp_path), Shown({"a": 1})):
        again = pickle.loads(pickle.dumps(wrapped))
        assert type(again) is type(wrapped)
        assert again == copy.copy(wrapped) == {"a": 1}
        for other in (again, copy.copy(wrapped)):
            with pytest.raises(ReadOnlyError):
                other["a"] = 2
    assert Locked.__name__ == "FileDirStore"
    assert pickle.loads(pickle.dumps(read_only)) is read_only
    assert pickle.loads(pickle.dumps(write_once(check_probability=1)))({"a": 1}) == {"a": 1}


def test_files_are_found_through_wrappers(tmp_path):
    store = FileDirStore(tmp_path, serializer="json")
    for wrapped in (read_only(store), write_once(append_only(store))):
        assert wrapped.path == store.path
        assert wrapped.file_of("a") == store.file_of("a")


def test_foreign_mappings_and_classes_become_stores():
    proxy = read_only(MappingProxyType({"a": 1}))
    assert isinstance(proxy, Store)
    with pytest.raises(ReadOnlyError):
        proxy["a"] = 2
    Dict = append_only(dict)
    store = Dict(a=1)
    store["b"] = 2
    assert isinstance(store, Store)
    assert (Dict.__name__, Dict.__module__) == ("DictStore", __name__)
    assert store == {"a": 1, "b": 2}
    with pytest.raises(ReadOnlyError):
        del store["a"]
    for wrong in (3, int, "text", None.__class__, None):
        with pytest.raises(InvalidArgumentError):
            read_only(wrong)


def test_a_subclass_of_a_wrapped_class_is_wrapped():
    class Sub(Shown):
        def __init__(self, mapping, tag):
            super().__init__(mapping)
            self.tag = tag

        def second(self):
            return self.first() + 1

    sub = Sub({"a": 1}, tag="t")
    assert (sub.second(), sub.tag) == (2, "t")
    with pytest.raises(ReadOnlyError):
        sub["a"] = 1


def test_a_class_that_writes_when_it_is_made_can_still_do_so():
    @append_only
    class Started(Store):
        def __init__(self):
            super().__init__()
            self["start"] = 1
            self["start"] = 2

    started = Started()
    assert started == {"start": 2}
    with pytest.raises(ReadOnlyError):
        started["start"] = 3


def test_types_can_be_given_to_a_wrapped_class():
    assert Locked[str, int]
    assert issubclass(read_only(FileDirStore[str, int]), FileDirStore)


# ---------------------------------------------------------------------- write_once


def test_the_first_value_stays():
    store = write_once({})
    store["a"] = 1
    store["a"] = 2
    store.update({"a": 3, "b": 4})
    assert store.setdefault("a", 5) == 1
    assert store == {"a": 1, "b": 4}
    assert write_once_checks(store) == (0, 0, 0)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, *range(9, 19)])
def test_a_write_once_store_refuses_what_cannot_be_ignored(number):
    store = write_once({"a": 1, "x/y": 3})
    with pytest.raises(ReadOnlyError):
        changes_of(store)[number]()
    assert store == {"a": 1, "x/y": 3}


def test_conditional_inserts_and_keeps_go_ahead():
    store = write_once({})
    options = {"condition": ETAG_IS_THE_SAME, "expected_etag": ITEM_NOT_AVAILABLE}
    assert store.set_item_if("a", value=1, **options).condition_was_satisfied
    assert not store.set_item_if("a", value=2, **options).condition_was_satisfied
    assert store.transform_item("b", transformer=lambda _: 3).new_value == 3
    assert store.transform_item("b", transformer=lambda _: KEEP_CURRENT).new_value == 3
    store["a"] = KEEP_CURRENT
    assert store == {"a": 1, "b": 3}


def test_etags_and_times_are_those_of_the_place():
    inner = MemoryStore({"a": 1})
    store = write_once(inner)
    assert store.etag("a") == inner.etag("a")
    assert store.timestamp("a") == inner.timestamp("a")
    before = inner.etag("a")
    store["a"] = 2
    assert inner.etag("a") == before


def test_repeats_are_compared_and_counted():
    store = write_once({}, check_probability=1)
    store["a"] = [1]
    store["a"] = [1]
    store.update({"a": [1]})
    with pytest.raises(MismatchError, match=r"'a' differs.*use another key") as caught:
        store["a"] = [True]
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, HoldallError)
    with pytest.raises(MismatchError):
        store |= {"a": [1.0]}
    assert write_once_checks(store) == (4, 2, 2)
    assert write_once_checks(read_only(store)) == (4, 2, 2)
    with pytest.raises(InvalidArgumentError):
        write_once_checks(MemoryStore())


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_what_would_be_read_back_is_compared(tmp_path, serializer):
    store = write_once(FileDirStore(tmp_path, serializer=serializer), check_probability=1)
    store["k"] = {"a": 1, "b": [1]}
    store["k"] = {"b": [1], "a": 1}
    with pytest.raises(MismatchError, match="'k'"):
        store["k"] = {"a": True, "b": [1]}
    assert write_once_checks(store) == (2, 1, 1)


@pytest.mark.parametrize("write", [lambda s: s.__setitem__("a", "new"), lambda s: s.update(a="new")])
def test_what_is_not_compared_is_not_read(write):
    reads = []
    below = Store(_Watched(MappingPersister({}), reads), serializer="pickle")
    below["a"] = "old"
    store = write_once(below, check_probability=0)
    write(store)
    assert reads == []
    assert store["a"] == "old"


class _Watched(PersisterWrapper):
    def __init__(self, inner, reads):
        super().__init__(inner)
        self.reads = reads

    def __getitem__(self, id):
        self.reads.append(id)
        return self.inner[id]

    def read(self, id):
        self.reads.append(id)
        return self.inner.read(id)


def test_about_the_asked_share_is_compared():
    store = write_once({}, check_probability=0.5)
    for _ in range(400):
        store["a"] = 1
    assert 100 < write_once_checks(store).attempted < 300


@pytest.mark.parametrize("wrong", [-0.1, 1.1, "1", None, True, float("nan")])
def test_a_wrong_probability_is_refused_at_once(wrong):
    for use in (
        lambda: write_once({}, check_probability=wrong),
        lambda: write_once(Store, check_probability=wrong),
        lambda: write_once(check_probability=wrong),
    ):
        with pytest.raises(InvalidArgumentError, match="from 0 to 1"):
            use()
    with pytest.raises(TypeError):
        write_once(check_probabilty=1)
    with pytest.raises(TypeError):
        write_once({}, 1)


def test_exactly_one_of_many_first_writers_wins_and_the_others_are_compared(tmp_path):
    outcomes = []
    barrier = threading.Barrier(8)
    place = FileDirStore(tmp_path, serializer="json")

    def write(number):
        store = write_once(place, check_probability=1)
        barrier.wait()
        try:
            store["a"] = number
        except MismatchError:
            outcomes.append((number, write_once_checks(store)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = place["a"]
    assert {number for number, _ in outcomes} == set(range(8)) - {winner}
    assert all(checks == (1, 0, 1) for _, checks in outcomes)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, True, False),
        (1, 1.0, False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        ({1, 2}, {2, 1}, True),
        ({1}, {True}, False),
        ({1: 2}, {True: 2}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ((1, [2, {"a": None}]), (1, [2, {"a": None}]), True),
        ((1, [2, {"a": None}]), (1, [2, {"a": 0}]), False),
        ([1], (1,), False),
        ([1], [1, 1], False),
        (slice(1), slice(1), True),
        (slice(1), slice(2), False),
    ],
)
def test_values_are_the_same_with_their_types(one, other, same):
    assert same_value(one, other) is same


def test_cycles_and_arrays_are_compared():
    numpy = pytest.importorskip("numpy")
    assert same_value(numpy.arange(3), numpy.arange(3))
    assert not same_value(numpy.arange(3), numpy.arange(3.0))
    assert not same_value(numpy.arange(3), numpy.arange(4))
    one, other = [], []
    one.append(one)
    other.append(other)
    assert same_value(one, other)
    deep = other_deep = None
    for _ in range(50_000):
        deep, other_deep = [deep], [other_deep]
    assert same_value(deep, other_deep)


@pytest.mark.parametrize("wrapper", [append_only, write_once])
def test_a_guarded_null_store_still_takes_everything(wrapper):
    store = wrapper(NullStore())
    store["x"] = 1
    store.update(y=2)
    assert dict(store) == {}


@pytest.mark.parametrize("given", [{"a": 1}, MemoryStore({"a": 1})])
def test_read_only_refuses_every_verb_and_changes_nothing_that_was_given(given):
    ro = read_only(given)
    writes = (
        lambda: ro.__setitem__("a", 2),
        lambda: ro.__delitem__("a"),
        lambda: ro.pop("a"),
        ro.popitem,
        ro.clear,
        lambda: ro.update(a=2),
        lambda: ro.setdefault("b", 2),
        lambda: ro.__ior__({"a": 2}),
        lambda: ro.discard("a"),
        lambda: ro.transform_item("a", transformer=lambda value: value + 1),
    )
    for write in writes:
        with pytest.raises(ReadOnlyError):
            write()
    assert dict(given) == {"a": 1}
    given["b"] = 2
    assert len(ro) == 2


def test_a_guarded_class_leaves_the_class_that_was_given_alone(tmp_path):
    class Plain(MemoryStore):
        pass

    read_only(Plain)
    plain = Plain()
    plain["a"] = 1
    assert plain == {"a": 1}
