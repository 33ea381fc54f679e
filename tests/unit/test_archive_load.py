"""`holdall.archive.load`: what archives hold comes back, and what a hostile archive wants does not happen."""

import array
import builtins
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import http
import io
import json
import math
import operator
import os
import pathlib
import re
import subprocess
import sys
import tracemalloc
import types
import uuid
import zoneinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import holdall
from archive import cases, compare, things
from exploring import examples, in_soak
from holdall.archive import Archive, DataSet, load, loads
from holdall.errors import CorruptValueError, InvalidArgumentError, SerializationError, StoreNotFoundError

UTC = dt.UTC
VALUES = {
    "plain": [1, -2, 2.5, -0.0, None, True, "text", b"bytes\0", ...],
    "containers": {"a": (1, 2), 3: {4}, (5, (6,)): frozenset([7]), "empty": [set(), frozenset(), (), {}, []]},
    "text": "é'''\r\n\ud800\x00\u2028\ufeff trailing  ",
    "floats": [math.inf, -math.inf, complex(-0.0, 2), complex(1, -math.inf)],
    "huge": [10**5000, -(10**5000), 2**64],
    "time": [
        dt.date(2020, 1, 2),
        dt.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC, fold=1),
        dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(hours=1), "X")),
        dt.timedelta(-1, 2, 3),
        dt.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    ],
    "numbers": [decimal.Decimal("1.50"), decimal.Decimal("NaN"), fractions.Fraction(-1, 3)],
    "names": [
        uuid.UUID(int=5),
        pathlib.Path("/a/b"),
        pathlib.PureWindowsPath("c:/x"),
        http.HTTPStatus.NOT_FOUND,
    ],
    "pattern": [re.compile("a+", re.IGNORECASE | re.MULTILINE), re.compile(rb"\d")],
    "collections": [
        collections.OrderedDict(b=1, a=2),
        collections.Counter("aab"),
        collections.deque([1, 2], 5),
        collections.defaultdict(list, {"a": [1]}),
        types.SimpleNamespace(a=1, b=[2]),
        types.MappingProxyType({"a": 1}),
    ],
    "ranges": [range(3), range(1, 9, 2), slice(1, None)],
    "buffers": [bytearray(b"ab"), array.array("d", [1.5]), array.array("i"), b"x" * 5000],
    "errors": [ValueError("x", 1), KeyError("k"), SystemExit(2)],
    "types": [int, str, list, ValueError, dt.date, collections.OrderedDict],
    "functions": [functools.partial(int, base=2), operator.itemgetter(1, 2), operator.attrgetter("a.b")],
    "long": [
        "long text\n" * 300,
        list(range(2500)),
        {str(i): i / 7 for i in range(2100)},
        [[i] for i in range(2100)],
    ],
    "mixed": [{i: (i, f"{i}", {"a": [i]}) for i in range(1050)}, {(i, i) for i in range(1050)}],
    "scalars": [
        np.float64(1.5),
        np.int8(-3),
        np.bool_(True),
        np.datetime64("2020-01-01"),
        np.str_("é"),
        np.complex64(1j),
    ],
    "arrays": [
        np.arange(3),
        np.zeros((2, 2), order="F"),
        np.array(["a", "é"]),
        np.array([b"x"]),
        np.zeros(2, [("a", "<i4"), ("b", "<U3"), ("c", "<f8", (2,))]),
        np.arange(5000.0),
        np.ma.masked_array([1, 2], [0, 1]),
        np.array([1, "a", None], dtype=object),
        np.arange(3, dtype=">i2"),
        np.array("2020", "M8[s]"),
    ],
}


def shown(value):
    """Show a value with all that tells it from others."""
    if isinstance(value, np.ndarray):
        return f"{value!r} {value.dtype!r} {value.flags.writeable} {value.flags.f_contiguous}"
    if isinstance(value, list):
        return f"{list(map(shown, value))}"
    if isinstance(value, int) and value.bit_length() > 100:
        return hex(value)
    return f"{type(value)} {value!r}"


@pytest.mark.parametrize("scoped", [True, False])
@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_by_executing(name, scoped, tmp_path):
    archive = Archive(scoped=scoped)
    archive.insert(**{name: VALUES[name]}, other=[VALUES[name]])
    executed = {}
    exec(str(archive), executed)
    path = archive.save(tmp_path, "saved")
    found = [
        loads(str(archive)),
        load(path),
        load(tmp_path / "saved"),
        loads(str(archive).replace("\n", "\r\n").encode()),
    ]
    for values in found:
        assert list(values) == [name, "other"]
        assert shown(values[name]) == shown(executed[name])
        assert values["other"][0] is values[name] or name == "text"


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()) | st.sampled_from("'\\\r\n\0"))
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas()
    | st.uuids()
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(leaves, inner, max_size=4)
        | st.frozensets(leaves, max_size=4)
    ),
    max_leaves=20,
)


@given(value=values, scoped=st.booleans())
@examples(40)
def test_any_value_comes_back_by_reading_and_by_executing(value, scoped):
    archive = Archive(scoped=scoped)
    archive.insert(value=value)
    executed = {}
    exec(str(archive), executed)
    for back in (loads(str(archive))["value"], executed["value"]):
        assert (type(back), back) == (type(value), value)


def test_sharing_and_cycles_are_kept():
    shared, loop, mapping = [1], [], {}
    loop.append(loop)
    mapping["self"] = mapping
    archive = Archive()
    archive.insert(a=[shared, shared], b=(shared,), c=loop, d=mapping, e=[[shared] for _ in range(3000)])
    back = loads(str(archive))
    assert back["a"][0] is back["a"][1] is back["b"][0] is back["e"][2999][0]
    assert back["c"][0] is back["c"]
    assert back["d"]["self"] is back["d"]


def test_a_chain_of_thousands_of_lists():
    value = []
    for _ in range(4000):
        value = [value]
    archive = Archive()
    archive.insert(x=value)
    back = loads(str(archive))["x"]
    for _ in range(4000):
        (back,) = back
    assert back == []


@pytest.mark.parametrize("package", [True, False])
@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
def test_arrays_beside_the_text(tmp_path, data_format, package):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    values = {
        "x": np.arange(100.0).reshape(10, 10),
        "y": [np.arange(3), np.arange(50, dtype=">i2")],
        "f": np.asfortranarray(np.arange(60).reshape(6, 10)),
        "t": np.arange(50).astype("M8[s]"),
        "b": np.arange(50).astype(bfloat16),
        "r": np.zeros(20, [(f"field{number}", "f8") for number in range(2000)]),
    }
    archive = Archive(array_threshold=10, data_format=data_format)
    archive.insert(**values)
    path = archive.save(tmp_path, "saved", package=package)
    back = load(path)
    assert list(back) == list(values)
    for name in "xftbr":
        assert (back[name].dtype, back[name].tobytes()) == (values[name].dtype, values[name].tobytes())
    assert back["f"].flags.f_contiguous
    assert back["y"][1].dtype == np.dtype(">i2")
    if data_format == "npy":
        mapped = load(path, mmap=True)["x"]
        assert not mapped.flags.owndata
        mapped[0, 0] = 5
        assert load(path)["x"][0, 0] == 0


def test_an_item_of_a_data_set(tmp_path):
    ds = DataSet("data", "w", path=tmp_path, array_threshold=5)
    ds.x = [np.arange(10), {"a": dt.date(2020, 1, 1)}]
    ds.y = "text"
    back = load(tmp_path / "data" / "x.py")["x"]
    assert back[0].tolist() == list(range(10))
    assert back[1] == {"a": dt.date(2020, 1, 1)}
    assert load(tmp_path / "data" / "y.py") == {"y": "text"}
    ds["only"] = "metadata"
    assert list(load(tmp_path / "data")) == ["x", "y"]
    assert load(tmp_path / "data")["y"] == "text"
    (tmp_path / "data" / "_info.jsonl").write_text('{"name": "../secret", "info": null}\n')
    (tmp_path / "secret.py").write_text("x = 1")
    with pytest.raises(CorruptValueError, match="no record of a name"):
        load(tmp_path / "data")


# -- what the caller allows


class Color(enum.Flag):
    RED = 1
    GREEN = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: object = None


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a

    def __eq__(self, other):
        return self.a == other.a

    __hash__ = None


class Stateful:
    def __getstate__(self):
        return {"state": self.value}

    def __setstate__(self, state):
        self.value = state["state"]


def test_classes_of_ones_own_are_refused_unless_allowed():
    one = Stateful()
    one.value = [5]
    archive = Archive()
    archive.insert(p=Point(1, [2]), s=Slotted(3), c=Color.RED | Color.GREEN, m=Color.RED, o=one, k=Point)
    text = str(archive)
    with pytest.raises(SerializationError, match=r"allow=\["):
        loads(text)
    back = loads(text, allow=[Point, Slotted, Color, Stateful])
    assert (back["p"], back["s"], back["c"], back["m"]) == (Point(1, [2]), Slotted(3), Color(3), Color.RED)
    assert back["o"].value == [5]
    assert back["k"] is Point
    with pytest.raises(SerializationError, match="Stateful"):
        loads(text, allow=[Point, Slotted, Color])
    with pytest.raises(InvalidArgumentError, match="classes and functions"):
        loads(text, allow=["Point"])


def _classes(scope, found):
    for thing in vars(scope).values():
        if isinstance(thing, type) and thing not in found:
            _classes(thing, [*found, thing])
            found.append(thing)
    return found


# What names a module, a function or a class that is not on the list, or calls what a call has made.
REFUSED = {
    *("enums", "defaultdict_bound", "operators", "classes", "functions", "modules", "random_", "sentinels"),
    *("bound_methods", "functions_of_numpy", "random_numbers", "frames", "series_and_scalars"),
    *("sparse_matrices", "uncertain_numbers"),
}


@pytest.mark.filterwarnings("ignore:The chararray class is deprecated")  # by numpy 2.5
def test_all_kinds_of_values_come_back_if_their_classes_are_allowed():
    allowed = _classes(things, [])
    allowed += [thing for thing in vars(things).values() if isinstance(thing, types.FunctionType)]
    allowed.append(type(np.array("a").view(np.char.chararray)))
    for name, make in {**cases.CASES, **cases.ARRAYS}.items():
        if name not in REFUSED:
            archive = Archive()
            archive.insert(value=make())
            back = loads(str(archive), allow=allowed)["value"]
            assert not compare.difference(make(), back), name


# -- hostile archives

HEADER = "from numpy import array\n"
HOSTILE = {
    "import of a function": "from os import system as s\nx = s('touch {trace}')",
    "import of a module": "import os\nx = os.system('touch {trace}')",
    "eval": "x = eval('1')",
    "exec as a value": "x = exec",
    "open": "x = open('{trace}', 'w')",
    "import by call": "x = __import__('os')",
    "importlib": "from importlib import import_module\nx = import_module('antigravity')",
    "resolve_name": "from pkgutil import resolve_name\nx = resolve_name('os:system')",
    "attribute walk": "x = ().__class__.__base__.__subclasses__()",
    "attribute of a module of the list": "import datetime\nx = datetime.sys",
    "attribute of a class of the list": "from collections import OrderedDict\nx = OrderedDict.__init__",
    "getattr": "x = getattr(1, 'real')",
    "format string": "x = f'{{1}}'",
    "comprehension": "x = [y for y in (1, 2)]",
    "lambda": "x = lambda: 1",
    "walrus": "x = (y := 1)",
    "starred": "x = [*(1, 2)]",
    "arithmetic": "x = 'a' * 100000000",
    "subscript of a value": "x = [1]\ny = x[0]",
    "subscript with a slice": "x = 'abc'\ny = x[0:1]",
    "assignment to an item": "x = {{}}\nx['a'] = 1",
    "assignment to an attribute": "import datetime\ndatetime.x = 1",
    "augmented assignment": "x = 1\nx += 1",
    "a loop": "while True:\n    x = 1",
    "a function": "def f():\n    return 1\nx = f()",
    "a class": "class C:\n    x = 1",
    "a helper that was changed": "def _fill(obj, values):\n    obj.run(values)\n    return obj\nx = 1",
    "with": "with x:\n    y = 1",
    "a decorator": "@print\ndef f(): pass",
    "two statements": "x = 1; import os",
    "a method of a value": "x = 'a'\ny = x.upper()",
    "extend of a foreign object": "from collections import Counter\nx = Counter()\nx.extend([1])",
    "update of a module": "import datetime\ndatetime.update({{'a': 1}})",
    "append": "x = []\nx.append(1)",
    "calling a value": "from functools import partial\nx = partial(int, 1)\ny = x()",
    "calling a getter": "from operator import attrgetter\nx = attrgetter('a')\ny = x(1)",
    "getter of a dunder": "from operator import attrgetter\nx = attrgetter('__class__')",
    "methodcaller of a dunder": "from operator import methodcaller\nx = methodcaller('__reduce__')",
    "partial of a function": "from functools import partial\nfrom os import system\nx = partial(system)",
    "a factory": "from collections import defaultdict\nfrom os import getcwd\nx = defaultdict(getcwd)",
    "Enum by call": "from enum import Enum\nx = Enum('X', 'a b')",
    "namedtuple": "from collections import namedtuple\nx = namedtuple('X', 'a')",
    "type": "x = type('X', (), {{}})",
    "a zone by path": "from zoneinfo import ZoneInfo\nx = ZoneInfo('../../etc/passwd')",
    "a zone by absolute path": "from zoneinfo import ZoneInfo\nx = ZoneInfo('/etc/passwd')",
    "np.load": "from numpy import load\nx = load('{trace}')",
    "np.memmap": "from numpy import memmap\nx = memmap('{trace}', 'u1', 'w+', 0, (4,))",
    "as_strided": HEADER + "from numpy.lib.stride_tricks import as_strided\nx = as_strided(array([], 'i8'))",
    "an array of objects": HEADER + "x = array([1], 'O')",
    "a huge dtype": HEADER + "x = array(['a', 'b'], 'U999999999')",
    "a void of any size": "from numpy import void\nx = void(10**12)",
    "a void of a number": "from numpy import void\nx = void(1000000000000)",
    "bytearray of a number": "x = bytearray(1000000000000)",
    "a list in an array in a list": HEADER + "a = []\na.extend([a, a])\nx = array(a, 'int64')",
    "a flag that prints": "import re\nx = re.compile('a', re.RegexFlag.DEBUG)",
    "class of ones own": "from tests_hostile import Thing\nx = Thing()",
    "object of a class": "from copyreg import __newobj__ as n\nfrom os import DirEntry\nx = n(DirEntry)",
    "state of a foreign object": "x = [1]\n_setstate(x, 1)",
    "attributes of a class": "import datetime\ndef _fill(obj, values, attribute=object.__getattribute__):\n"
    "    attribute(obj, '__dict__').update(values)\n    return obj\n_fill(datetime.date, {{'x': 1}})",
    "relative import": "from . import secret\nx = 1",
    "star import": "from os import *\nx = 1",
    "an invalid escape": "x = '\\d'",
    "a huge number": "x = " + "9" * 5000,
    "an unclosed bracket": "x = [1, 2",
    "an unclosed text": "x = '''abc",
    "a null character": "x = 'a\0b'",
    "a form of json": "import json\nx = json.loads('[1]')",
    "a file of json": "import json\nx = json.load(r'''1''')",
    "text of no json": "import json\nx = json.loads(r'''[1, 2''')",
    "text of no base64": "from base64 import b64decode\nx = b64decode('''!!!''')",
    "another codec": "from codecs import decode\nx = decode('''abc''', 'rot13')",
    "pickle": "from pickle import loads\nx = loads(b'cos\\nsystem\\n(S\"touch {trace}\"\\ntR.')",
    "a bare block": "x = r'''\nabc\n'''",
    "a name out of nowhere": "x = __builtins__",
    "a name of the module": "x = __loader__",
    "a deep expression": "x = " + "(" * 150 + "1" + ")" * 150,
    "a long chain": "x = " + "-" * 60_000 + "1",
    "a long union": "import re\nx = " + " | ".join(["re.I"] * 30_000),
    "a huge statement": "x = [" + "1, " * 100_000 + "]",
    "a value of a hidden attribute": "from datetime import date\nx = date.__new__",
    "all that is no list": "__all__ = 5\nx = 1",
    "all with what is not there": "__all__ = ['x', 'y']\nx = 1",
    "a key that is hashed for ever": "a = (1,)\n" + "a = (a, a)\n" * 60 + "x = {{a: 1}}",
    "a member that is hashed for ever": "a = (1,)\n" + "a = (a, a)\n" * 60 + "x = {{a}}",
    "a set that is hashed for ever": "a = (1,)\n" + "a = (a, a)\n" * 60 + "x = frozenset([a])",
    "a key that is too deep": "a = (1,)\n" + "a = (a,)\n" * 5_000 + "x = {{a: 1}}",
    "a generic type that is hashed for ever": "from types import GenericAlias as A\na = A(list, (int,))\n"
    + "a = A(list, (a, a))\n" * 60 + "x = {{a}}",
    "sets that are compared for ever": "a = frozenset([1])\nb = frozenset([1])\n"
    + "".join(f"{x} = frozenset([({x}, {i}), ({x}, 'x')])\n" for i in range(60) for x in "ab")
    + "x = {{a, b}}",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_does_nothing(name, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("holdall.archive._allowed._MAX_KEY_PARTS", 20_000)  # a million take seconds
    trace = tmp_path / "trace"
    text = HOSTILE[name].replace("{trace}", str(trace)).replace("{{", "{").replace("}}", "}")
    ran = []
    for function in ("open", "eval", "exec", "__import__"):
        real = getattr(builtins, function)

        def watched(*arguments, _real=real, _name=function, **options):
            if sys._getframe(1).f_code.co_filename.endswith(("_evaluate.py", "_making.py")):
                ran.append((_name, arguments))
            return _real(*arguments, **options)

        monkeypatch.setattr(builtins, function, watched)
    modules = set(sys.modules)
    before = set(os.listdir(tmp_path))
    with pytest.raises(SerializationError):
        loads(text, location=str(tmp_path))
    path = tmp_path / "archive.py"
    with io.open(path, "w", encoding="utf-8", newline="\n") as file:  # noqa: UP020  (open is watched)
        file.write(text)
    with pytest.raises(SerializationError, match=r"archive\.py"):
        load(path)
    assert set(os.listdir(tmp_path)) - before == {"archive.py"}
    assert ran == []
    assert not {"antigravity", "tests_hostile", "archive"} & (set(sys.modules) - modules)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "count", [300, pytest.param(100_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_archives_that_were_changed_do_nothing(count):
    script = pathlib.Path(cases.__file__).with_name("mutated.py")
    command = [sys.executable, str(script), str(script.parents[1]), "1", str(count)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3000)
    assert run.returncode == 0, run.stderr
    n_read, heard, wrong = json.loads(run.stdout)
    assert 0 < n_read < count / 2
    assert heard == []
    assert wrong == []


TABLE = (
    "import json\nfrom datetime import date\n{helpers}"
    "x = _table((date, {functions}), json.loads(r'''\n{rows}\n'''))\ny = x[0]\ndel json"
)


@functools.cache
def table_helpers():
    """Return the functions that the text of a table begins with."""
    archive = Archive()
    archive.insert(x=[[object(), number] for number in range(3000)])
    text = str(archive)
    return text[: text.index("def _scope")]


@pytest.mark.parametrize(
    "rows",
    [
        '[["call", ["f", 1], "ls"]]',
        '[["call", ["f", 99]]]',
        '[["call", ["f", -1]]]',
        '[["call", [5]]]',
        '[["list", [0]]]',
        '[["object", ["f", 0]]]',
        '[["fill", ["f", 0], "x", 1]]',
        '[["extend", ["f", 0], 1]]',
        '[["setstate", ["f", 0], 1]]',
        '[["set by", ["f", 1], 1, 2]]',
        '[["unknown", 1]]',
        '[["list", 1], ["call", [0], 1]]',
        '["list"]',
        '{"list": 1}',
        '[["int", "5; import os"]]',
        '[["bytes", 5]]',
        '[["list"], ["extend", [0], [0], [0]], ["dict", [0], 1]]',
        '[["tuple", 1], '
        + ", ".join(f'["tuple", [{number}], [{number}]]' for number in range(60))
        + ', ["set", [60]]]',
    ],
)
def test_a_hostile_table_does_nothing(rows):
    helpers = table_helpers()
    assert "_table" in helpers
    with pytest.raises(SerializationError):
        loads(TABLE.replace("{helpers}", helpers).replace("{functions}", "print").replace("{rows}", rows))


def test_arrays_elsewhere_or_of_objects_are_refused(tmp_path):
    archive = Archive(array_threshold=5)
    archive.insert(x=np.arange(10))
    path = pathlib.Path(archive.save(tmp_path, "saved"))
    text = path.read_text()
    secret = tmp_path / "secret"
    secret.mkdir()
    np.save(secret / "array_0.npy", np.arange(3))
    for where in ("../secret", str(secret), "/etc", "", ".", "..", "a\0b", "..\\secret"):
        path.write_text(text.replace("'_arrays'", repr(where)))
        with pytest.raises(SerializationError):
            load(path)
    os.symlink(secret, tmp_path / "saved" / "link")
    path.write_text(text.replace("'_arrays'", "'link'"))
    with pytest.raises(CorruptValueError, match="lies elsewhere"):
        load(path)
    path.write_text(text.replace("'array_0'", "'../../secret/array_0'"))
    with pytest.raises(SerializationError):
        load(path)
    path.write_text(text)
    np.save(tmp_path / "saved" / "_arrays" / "array_0.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(SerializationError, match="Python objects"):
        load(path)
    os.unlink(tmp_path / "saved" / "_arrays" / "array_0.npy")
    with pytest.raises(CorruptValueError, match=r"array_0.*missing"):
        load(path)


def test_limits(tmp_path):
    path = tmp_path / "large.py"
    path.write_text("x = 1\n" * 100)
    with pytest.raises(SerializationError, match="more than 50 bytes: raise max_size"):
        load(path, max_size=50)
    assert load(path) == {"x": 1}
    with pytest.raises(SerializationError, match="more values than are allowed: raise max_items"):
        loads("x = [1, 2, 3, 4, 5]", max_items=5)
    with pytest.raises(SerializationError, match="max_items"):
        loads("import json\nx = json.loads(r'''[" + "[]," * 100 + "1]''')\ndel json", max_items=50)
    with pytest.raises(StoreNotFoundError):
        load(tmp_path / "absent.py")
    with pytest.raises(CorruptValueError, match="no archive"):
        loads(b"\xff\xfe")
    assert loads(b"\xef\xbb\xbfx = 1") == {"x": 1}  # as some editors begin a text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_no_archive(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(CorruptValueError, match="no file"):
        load(tmp_path / "pipe.py")


def test_arrays_that_claim_more_than_their_file_can_hold_are_refused(tmp_path):
    archive = Archive(array_threshold=2, data_format="npz")
    archive.insert(x=np.arange(10.0))
    archive.save(tmp_path, name="saved")
    data = tmp_path / "saved" / "_arrays.npz"
    written = data.read_bytes()
    entry = written.index(b"PK\x01\x02")
    data.write_bytes(written[: entry + 24] + b"\xff\xff\xff\x7f" + written[entry + 28 :])
    with pytest.raises(CorruptValueError, match="the arrays take 2147483647 bytes"):
        load(tmp_path / "saved")


@pytest.mark.parametrize("step", [23, *in_soak(1)])
def test_a_text_cut_anywhere_is_an_error_or_less(tmp_path, step):
    archive = Archive(array_threshold=5)
    archive.insert(a=[1, {2: (3,)}], b="text" * 100, c=dt.date(2020, 1, 1), d=list(range(3000)))
    text = pathlib.Path(archive.save(tmp_path, "saved")).read_text()
    whole = loads(text)
    for stop in range(0, len(text), step):
        try:
            values = loads(text[:stop])
        except SerializationError:
            continue
        assert all(values[name] == whole[name] for name in values)


def test_memory_stays_small():
    """A million numbers take little more than they are: nothing is parsed that is only data."""
    code = """
import resource, sys
from holdall.archive.reading import loads
numbers = ",\\n".join(map(str, range(1_000_000)))
text = f"import json\\nx = json.loads(r'''\\n[{numbers}]\\n''')\\ndel json\\n"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(loads(text)["x"]) == 499999500000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    source = pathlib.Path(holdall.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 100


def test_comments_and_empty_lines_take_no_memory():
    text = "#\n" * 50_000 + "\n" * 50_000 + "x = 1"
    tracemalloc.start()
    assert loads(text) == {"x": 1}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(text)  # it was 45 times as long
