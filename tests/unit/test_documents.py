"""Documents of others as stores: what is written changes nothing else."""

import math

import pytest

from holdall.errors import CorruptValueError, SerializationError
from holdall.serializers import get_serializer
from holdall.stores.document import DocumentStore

ANCHORS = """\
defaults: &defaults
  db: {host: one, port: 1}
prod:
  <<: *defaults
test: *defaults
"""


@pytest.fixture
def anchored(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(ANCHORS)
    return DocumentStore(path)


@pytest.mark.parametrize("table", ["defaults", "prod", "test"])
def test_a_write_through_an_alias_changes_one_place(anchored, table):
    before = dict(anchored)
    anchored[f"{table}/db/host"] = "two"
    assert dict(anchored) == {**before, f"{table}/db/host": "two"}


@pytest.mark.parametrize("table", ["defaults", "prod", "test"])
def test_a_delete_through_an_alias_deletes_in_one_place(anchored, table):
    before = dict(anchored)
    del anchored[f"{table}/db/host"]
    assert dict(anchored) == {key: before[key] for key in before if key != f"{table}/db/host"}


def test_a_table_in_itself_is_told(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {b: *a, c: 1}")
    with pytest.raises(CorruptValueError, match="in itself"):
        list(DocumentStore(path))


@pytest.mark.parametrize(("suffix", "text"), [("toml", "a = nan\nb = 1\n"), ("yaml", "a: .nan\nb: 1\n")])
def test_a_document_with_nan_can_be_written(tmp_path, suffix, text):
    path = tmp_path / f"a.{suffix}"
    path.write_text(text)
    store = DocumentStore(path)
    store["b"] = 2
    store["c"] = [math.nan, -math.inf]
    assert math.isnan(store["a"])
    assert math.isnan(store["c"][0])
    assert (store["b"], store["c"][1]) == (2, -math.inf)


@pytest.mark.parametrize("name", ["yaml", "toml"])
def test_nan_hides_no_difference(name):
    serializer = get_serializer(name)
    for value in (
        {"a": [math.nan, (1,)]},
        {"a": math.nan, "b": (math.nan,)},
        {"a": {"b": (1,), "c": math.nan}},
    ):
        with pytest.raises(SerializationError):
            serializer.dumps(value)
