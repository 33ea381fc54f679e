"""What other programs wrote is read as the reference reader reads it; what is written can be read."""

import codecs
import csv
import io
import math
import pickle

import pytest

from holdall import FileDirStore
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError
from holdall.serializers import CsvSerializer, TextSerializer, get_serializer

ODD = [
    'a "quoted" b,c\n',
    '"a"b,c\n',
    'a,"open\nb,c\n',
    '"',
    '"a""b",c\r\n"x\ny",z',
    "a,b\r\rc\n\n",
    " a , b\n",
    ",\n",
    '""\n',
    "a\0b,c\n",
]


@pytest.mark.parametrize("text", ODD)
def test_csv_reads_what_csv_reader_reads(text):
    assert CsvSerializer().loads(text.encode()) == list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("options", "rows", "data"),
    [
        ({"delimiter": ";"}, [["a;b", "c"]], b'"a;b";c\r\n'),
        ({"dialect": "excel-tab"}, [["a\tb", "c"]], b'"a\tb"\tc\r\n'),
        ({"dialect": "unix"}, [["a", "c"]], b'"a","c"\n'),
        ({"dialect": "unix", "delimiter": "|", "quoting": "minimal"}, [["a", "c"]], b"a|c\n"),
        ({"quoting": "all"}, [["a", ""]], b'"a",""\r\n'),
        ({"quoting": "nonnumeric"}, [["a", 1.5, -0.0]], b'"a",1.5,-0.0\r\n'),
        ({"quoting": "none", "escapechar": "\\"}, [["a,b", 'c"']], b'a\\,b,c\\"\r\n'),
        ({"quotechar": "'"}, [["a,b", "it's"]], b"'a,b','it''s'\r\n"),
        ({"header": True, "quoting": "all"}, [{"n": "1"}], b'"n"\r\n"1"\r\n'),
    ],
)
def test_csv_dialects(options, rows, data):
    made = CsvSerializer(**options)
    assert made.dumps(rows) == data
    again = made.loads(data)
    assert again == rows
    assert repr(again) == repr(rows)
    assert pickle.loads(pickle.dumps(made)) == made
    assert hash(pickle.loads(pickle.dumps(made))) == hash(made)
    assert eval(repr(made)) == made


@pytest.mark.parametrize(
    "options",
    [
        {"dialect": "nothing"},
        {"quoting": "some"},
        {"quoting": 5},
        {"delimiter": "ab"},
        {"delimiter": ""},
        {"quotechar": "ab"},
        {"escapechar": "ab"},
        {"delimiter": "\n"},
        {"dialect": 3},
    ],
)
def test_csv_options_are_checked(options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        CsvSerializer(**options)


def test_csv_numbers_keep_their_types():
    made = CsvSerializer(quoting="nonnumeric")
    for value in ([[1]], [[True]], [[None]], [[10**400]]):
        with pytest.raises(SerializationError):
            made.dumps(value)


@pytest.mark.parametrize("strict", [True, False])
def test_a_cell_too_long_to_be_read_is_refused(strict, tmp_path):
    made = CsvSerializer(strict=strict)
    longest = "x" * csv.field_size_limit()
    assert made.loads(made.dumps([[longest]])) == [[longest]]
    store = FileDirStore(tmp_path, serializer=made)
    store["a"] = [["old"]]
    with pytest.raises(SerializationError, match=r"csv\.field_size_limit") as caught:
        store["a"] = [[longest + "x"]]
    assert "strict=False" not in str(caught.value)
    assert store["a"] == [["old"]]
    with pytest.raises(CorruptValueError, match=r"csv\.field_size_limit"):
        made.loads(longest.encode() + b"x")


MARK = codecs.BOM_UTF8


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        ("text", b"\xc3\xa9\r\n", "é\r\n"),
        ("csv", b"a,b\r\n", [["a", "b"]]),
        ("csv", b'"a",b\r\n', [["a", "b"]]),
        ("ini", b"[s]\na = 1\n", {"s": {"a": "1"}}),
        ("json", b'{"a": 1}', {"a": 1}),
        ("orjson", b'{"a": 1}', {"a": 1}),
        ("toml", b"a = 1", {"a": 1}),
        ("yaml", b"a: 1", {"a": 1}),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_file(name, data, value):
    made = get_serializer(name)
    assert made.loads(MARK + data) == made.loads(data) == value


@pytest.mark.parametrize("value", ["\ufeff", "\ufeffa", "\ufeff\ufeffa", "a\ufeff", ""])
def test_text_that_begins_like_a_mark_comes_back(value):
    for made in (TextSerializer(), TextSerializer(encoding="UTF8"), TextSerializer(encoding="utf-16")):
        assert made.loads(made.dumps(value)) == value
    for made in (CsvSerializer(), CsvSerializer(encoding="utf-8-sig"), CsvSerializer(encoding="utf-16")):
        assert made.loads(made.dumps([[value, "b"]])) == [[value, "b"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("yaml", {(1, 2): 3}),
        ("yaml", {"a": {(1,): {(2, 3): [4]}}}),
        ("ini", {"s": {"": "x"}}),
        ("ini", {"s": {"a": " x"}}),
        ("csv", [["x" * 200_000]]),
        ("csv", [["a"], 5]),
        ("toml", {"a": object()}),
        ("json", {"a": (1,)}),
        ("json", {(1,): 2}),
        ("json", {"a": math.nan}),
        ("json", [object()]),
        ("json", {"a": 10**5000}),
        ("orjson", {(1, 2): 3}),
        ("msgpack", {"a": 2**70}),
        ("cbor", {"a": object()}),
    ],
)
def test_not_strict_never_stores_what_nobody_reads(name, value):
    """A value is stored, and then it can be read; or it is refused, and nothing useless is recommended."""
    pytest.importorskip({"yaml": "yaml", "toml": "tomli_w"}.get(name, "csv"))
    strict, loose = get_serializer(name), type(get_serializer(name))(strict=False)
    with pytest.raises(SerializationError) as caught:
        strict.dumps(value)
    try:
        data = loose.dumps(value)
    except SerializationError:
        assert "strict=False" not in str(caught.value)
    else:
        loose.loads(data)
        assert "strict=False" in str(caught.value)


def test_workbooks_that_are_not_strict_can_be_read():
    pytest.importorskip("openpyxl")
    cls = type(get_serializer("xlsx"))
    with pytest.raises(SerializationError, match="max_cells"):
        cls(strict=False, max_cells=3).dumps({"s": [["a"] * 5]})
    with pytest.raises(SerializationError) as caught:
        cls(max_cells=3).dumps({"s": [["a"] * 5]})
    assert "strict=False" not in str(caught.value)
    loose = cls(strict=False)
    assert loose.loads(loose.dumps({"s": [("a", None)]})) == {"s": [["a"]]}
