"""INI files that others wrote: options that occur twice, comments in line, options without a value."""

import pytest

from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import IniSerializer
from holdall.stores.document import DocumentStore

UNIT = b"""\
# as systemd has them
[Service]
Environment=A=1
Environment=B=2
ExecStart=
ExecStart=/bin/true \\
    --more
Flag
Flag
[Unit]
After=x
[Service]
Environment=C=3
Type=simple
"""


def test_options_that_occur_twice_are_lists_by_an_option():
    with pytest.raises(CorruptValueError):
        IniSerializer().loads(UNIT)
    assert IniSerializer(repeated=True).loads(UNIT) == {
        "Service": {
            "Environment": ["A=1", "B=2", "C=3"],
            "ExecStart": ["", "/bin/true \\\n--more"],
            "Flag": [None, None],
            "Type": "simple",
        },
        "Unit": {"After": "x"},
    }


def test_repeated_options_are_written_and_read_back():
    serializer = IniSerializer(repeated=True)
    value = {"s": {"a": ["1", "2\n3", None], "b\0c": "4", "d": ["", ""]}, "t": {}}
    data = serializer.dumps(value)
    assert data == b"[s]\na = 1\na = 2\n\t3\na\nb\0c = 4\nd = \nd = \n\n[t]\n\n"
    assert serializer.loads(data) == value


@pytest.mark.parametrize("values", [[], ["one"], ["1", 2], [" a", "b"], [["a"], "b"], ("a", "b")])
def test_lists_that_would_come_back_different_are_refused(values):
    with pytest.raises(SerializationError):
        IniSerializer(repeated=True).dumps({"s": {"a": values}})


def test_lists_need_the_option():
    with pytest.raises(SerializationError, match="repeated=True"):
        IniSerializer().dumps({"s": {"a": ["1", "2"]}})


def test_comments_in_line_are_none_by_an_option():
    text = b"[s]\na = 1 ; one\nb = 2;3 # two\nc ; no value\n"
    assert IniSerializer().loads(text)["s"]["a"] == "1 ; one"
    assert IniSerializer(inline_comments=";").loads(text)["s"] == {"a": "1", "b": "2;3 # two", "c": None}
    serializer = IniSerializer(inline_comments=";#")
    assert serializer.loads(text)["s"] == {"a": "1", "b": "2;3", "c": None}
    with pytest.raises(SerializationError, match="come back different"):
        serializer.dumps({"s": {"a": "1 # lost"}})


@pytest.mark.parametrize("options", [{"repeated": 1}, {"inline_comments": (";",)}, {"inline_comments": " "}])
def test_wrong_options_are_refused(options):
    with pytest.raises(InvalidArgumentError):
        IniSerializer(**options)


def test_a_document_has_the_lists(tmp_path):
    path = tmp_path / "a.service"
    path.write_bytes(UNIT)
    store = DocumentStore(path, serializer=IniSerializer(repeated=True))
    assert store["Service/Environment"] == ["A=1", "B=2", "C=3"]
    store["Service/Environment"] = ["D=4", "E=5"]
    again = DocumentStore(path, serializer=IniSerializer(repeated=True))
    assert again["Service/Environment"] == ["D=4", "E=5"]
    assert again["Service/ExecStart"] == ["", "/bin/true \\\n--more"]
