"""The truth tables of docs/explanation/conditional.md are true: each row is tried on real stores."""

import itertools
import re
from pathlib import Path

import pytest

import holdall
from holdall import ITEM_NOT_AVAILABLE, KEEP_CURRENT, FileDirStore, MemoryStore, SQLiteStore, conditional
from holdall.conditional import ANY_ETAG, VALUE_NOT_RETRIEVED

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "conditional.md"

# What the cells of a column can say. Those of INPUTS tell when a row applies, "any" stands for all of them
# and "a or b" for some; those of OUTCOMES tell what happens then.
INPUTS = {
    "condition": ("ANY_ETAG", "ETAG_IS_THE_SAME", "ETAG_HAS_CHANGED"),
    "item": ("present", "absent"),
    "etags": ("equal", "differ"),
    "retrieve_value": ("ALWAYS_RETRIEVE", "IF_ETAG_CHANGED", "NEVER_RETRIEVE"),
    "value": ("new", "KEEP_CURRENT", "DELETE_CURRENT"),
    "transformer gives": ("new", "KEEP_CURRENT", "DELETE_CURRENT"),
}
OUTCOMES = {
    "satisfied": ("yes", "no"),
    "item afterwards": ("old", "new", "absent"),
    "new_value": ("old", "new", "VALUE_NOT_RETRIEVED", "ITEM_NOT_AVAILABLE"),
}
VERBS = "Plain verbs"
COLUMNS = {
    "get_item_if": ("condition", "item", "etags", "retrieve_value"),
    "set_item_if": ("value", "condition", "item", "etags", "retrieve_value"),
    "setdefault_if": ("condition", "item", "etags", "retrieve_value"),
    "discard_if": ("condition", "item", "etags"),
    "transform_item": ("item", "transformer gives"),
}
TITLE = re.compile(r"^#+ `?([^`\n]+)`?$|^`(transform_item)` by what", re.MULTILINE)


def read_tables(text):
    """Give the rows of each table, as dicts by column, by the title above it; the last table counts."""
    tables, rows, columns = {}, [], ()
    for line in text.splitlines():
        if title := TITLE.match(line):
            rows = tables[title[1] or title[2]] = []
        elif not line.startswith("|"):
            columns = ()
        elif not re.fullmatch(r"[|-]+", line):
            cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
            if columns:
                rows.append(dict(zip(columns, cells, strict=True)))
            columns = columns or tuple(cells)
    return tables


TABLES = read_tables(PAGE.read_text(encoding="utf-8"))
ROWS = [(name, number) for name in COLUMNS for number in range(len(TABLES.get(name, ())))]


def cases(name, row):
    """Give every combination of inputs to which a row applies."""
    choices = []
    for column in COLUMNS[name]:
        words = INPUTS[column] if row[column] == "any" else tuple(row[column].split(" or "))
        assert set(words) <= set(INPUTS[column]), f"{column} cannot be {row[column]!r}"
        choices.append(words)
    return [dict(zip(COLUMNS[name], words, strict=True)) for words in itertools.product(*choices)]


def meant(word):
    """Give the constant that a cell names, or the text itself."""
    return getattr(conditional, word, word)


def etag_of(store):
    actual = store.get_item_if("k", condition=ANY_ETAG, expected_etag=ITEM_NOT_AVAILABLE).actual_etag
    assert (actual is ITEM_NOT_AVAILABLE) == ("k" not in store)
    return actual


def prepare(store, case):
    """Bring the item into its state, and give the etags that can be expected then."""
    store["k"] = "older"
    older = store.etag("k")
    store["k"] = "old"
    actual = store.etag("k")
    if case["item"] == "absent":
        del store["k"]
        return [ITEM_NOT_AVAILABLE] if case.get("etags") == "equal" else [older, actual, "none-such"]
    return [actual] if case.get("etags") == "equal" else [older, ITEM_NOT_AVAILABLE, "none-such"]


def call(store, name, case, expected):
    if name == "transform_item":
        seen = []
        gives = meant(case["transformer gives"])
        result = store.transform_item("k", transformer=lambda value: seen.append(value) or gives)
        assert seen == ["old" if case["item"] == "present" else ITEM_NOT_AVAILABLE]
        assert result.attempts == 1
        return result
    options = {"condition": meant(case["condition"]), "expected_etag": expected}
    if "retrieve_value" in case:
        options["retrieve_value"] = meant(case["retrieve_value"])
    if name == "set_item_if":
        options["value"] = meant(case["value"])
    if name == "setdefault_if":
        options["default_value"] = "new"
    return getattr(store, name)("k", **options)


def check(store, name, row):
    """Try all that a row says."""
    for case in cases(name, row):
        # An operation may change the item, so each of several etags needs a new start.
        for choice in range(len(prepare(store, case))):
            expected = prepare(store, case)[choice]
            before = etag_of(store)
            result = call(store, name, case, expected)
            after = etag_of(store)
            assert store.get("k", "absent") == row["item afterwards"], case
            assert result.new_value == meant(row["new_value"]), case
            assert result.resulting_etag == after, case
            changed = row["item afterwards"] != ("old" if case["item"] == "present" else "absent")
            assert (before != after) is changed, case
            assert result.actual_etag == before, case
            assert result.value_was_mutated is changed, case
            if "satisfied" in row:
                assert result.condition_was_satisfied is (row["satisfied"] == "yes"), case


@pytest.fixture(params=["memory", "files", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SQLiteStore(tmp_path / "store.db")
    return FileDirStore(tmp_path / "store", serializer="json")


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_a_row_is_true(store, name, number):
    check(store, name, TABLES[name][number])


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_covers_every_combination_once(name):
    told = [tuple(case.values()) for row in TABLES[name] for case in cases(name, row)]
    assert len(told) == len(set(told))
    assert set(told) == set(itertools.product(*(INPUTS[column] for column in COLUMNS[name])))


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_a_row_with_another_outcome_is_noticed(name, number):
    row = TABLES[name][number]
    for column, words in OUTCOMES.items():
        for word in set(words) - {row.get(column)} if column in row else ():
            with pytest.raises(AssertionError):
                check(MemoryStore(), name, {**row, column: word})


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_a_row_with_another_input_is_noticed(name, number):
    """Every other input makes the table tell something twice, or not at all."""
    for column in COLUMNS[name]:
        for word in {*INPUTS[column], "any"} - {TABLES[name][number][column]}:
            rows = list(TABLES[name])
            rows[number] = {**rows[number], column: word}
            told = sorted(tuple(case.values()) for row in rows for case in cases(name, row))
            assert told != sorted(itertools.product(*(INPUTS[column] for column in COLUMNS[name])))


def check_verb(store, row):
    if row["item"] == "present":
        store["k"] = "old"
    names = {name: getattr(holdall, name) for name in holdall.__all__} | vars(conditional) | {"store": store}
    gives = eval(row["gives"], names)
    if isinstance(gives, type):
        with pytest.raises(gives):
            eval(row["operation"], names)
    else:
        answer = eval(row["operation"], names)
        assert answer == gives
        assert type(answer) is type(gives)
    assert store.get("k", "absent") == row["item afterwards"]


@pytest.mark.parametrize("row", TABLES[VERBS], ids=lambda row: f"{row['operation']}-{row['item']}")
def test_a_verb_does_what_the_table_says(store, row):
    check_verb(store, row)


@pytest.mark.parametrize("row", TABLES[VERBS], ids=lambda row: f"{row['operation']}-{row['item']}")
def test_a_verb_that_is_told_otherwise_is_noticed(row):
    answers = {'"old"', '"new"', "None", "True", "False", "KeyError", "0"}
    for column, words in {"gives": answers, "item afterwards": OUTCOMES["item afterwards"]}.items():
        for word in set(words) - {row[column]}:
            with pytest.raises((AssertionError, pytest.fail.Exception, holdall.HoldallError, KeyError)):
                check_verb(MemoryStore(), {**row, column: word})


def test_values_that_are_not_retrieved_are_not_read():
    """`VALUE_NOT_RETRIEVED` is no matter of manners: the value need not even be readable."""

    class Unreadable(MemoryStore):
        def _obj_of_data(self, data):
            raise ValueError(data)

    store = Unreadable({"k": 1})
    etag = store.etag("k")
    flags = {"condition": ANY_ETAG, "expected_etag": etag}
    assert store.get_item_if("k", **flags).new_value is VALUE_NOT_RETRIEVED
    assert store.set_item_if("k", value=KEEP_CURRENT, **flags).new_value is VALUE_NOT_RETRIEVED
