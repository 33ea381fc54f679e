"""Values that have to come back from an archive, made anew by each call; importable without holdall."""

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import ipaddress
import itertools
import math
import operator
import pathlib
import random
import re
import sys
import types
import uuid
import zoneinfo

from archive import things
from archive.things import (
    MISSING,
    NOTHING,
    Bits,
    Colour,
    Dict,
    FileError,
    Float,
    Frozen,
    FrozenSlots,
    HandSlots,
    Hashed,
    Hidden,
    Int,
    KeywordError,
    Liar,
    List,
    Mangled,
    MangledChild,
    Mode,
    NewargsEx,
    Odd,
    OldPair,
    Pair,
    Plain,
    Point,
    Proxy,
    Rank,
    ReduceAll,
    Set,
    Slots,
    Str,
    Tuple,
    function,
    the_one,
)

CASES = {}
ARRAYS = {}


def case(function, table=CASES):
    table[function.__name__] = function
    return function


def array_case(function):
    return case(function, ARRAYS)


def _add(table, **values):
    table.update(values)


inf, nan = math.inf, math.nan
_add(
    CASES,
    none=lambda: None,
    bools=lambda: [True, False, 1, 0, 1.0],
    ints=lambda: [0, -1, 2**64, -(2**100), 10**4299],
    huge_int=lambda: 10**5000,
    huge_places=lambda: [{10**5000: 1}, (10**5000,), fractions.Fraction(1, 10**5000), -(10**6000)],
    floats=lambda: [0.0, -0.0, 1e300, 5e-324, 0.1, inf, -inf],
    complexes=lambda: [complex(a, b) for a in (0.0, -0.0, inf, -inf) for b in (0.0, -0.0, inf, -inf)],
    texts=lambda: [
        "",
        "a\0b",
        "\r",
        "\r\n",
        "\n",
        "\u2028\u2029",
        "\ufeff",
        "\ud800",
        "\udfff\ud800",
        "\u202e\u2066",
        "x  ",
        "'''",
        '"""',
        "\\",
        "\\n",
        "'",
        '"',
        "\\'",
        "don't '''''''' stop",
        "é漢字🎉",
        "\x7f\x85\xa0\x0b\x0c",
        "\\\n",
        "# coding: utf-16",
        "\\u0041",
        "\U000e0001",
    ],
    long_text=lambda: "line 'one'\nline \"two\" \\ \u2028 \ud800 '''\r\n\t" * 200,
    longer_text=lambda: "\\'\"" * 3000 + "\\",
    json_texts=lambda: ["don't '''stop''' \\ \r\n \0 \ud800 \u2028 " * 3 + str(i) for i in range(800)],
    bytes_=lambda: [b"", b"a\0\xff", b"'\"\\", bytes(range(256))],
    long_bytes=lambda: bytes(range(256)) * 20,
    bytearrays=lambda: [bytearray(b"abc"), bytearray()],
    dots=lambda: [..., NotImplemented],
    tuples=lambda: [(), (1,), (1, 2), ((),), ((1,),)],
    sets=lambda: [set(), {1, 2}, {"a", 1, None, (1, 2)}, frozenset(), frozenset({1, (2, frozenset({3}))})],
    dicts=lambda: [{}, {1: 2, "a": None, (1, 2): [3], None: 4, 1.5: 5, b"x": 6}, {"b": 1, "a": 2}],
    ranges=lambda: [range(3), range(1, 10, 2), range(0), slice(None), slice(1, [2], None)],
    dates=lambda: [
        dt.date(2020, 2, 29),
        dt.datetime(2020, 1, 1, 2, 3, 4, 5),  # noqa: DTZ001
        dt.datetime(1, 1, 1),  # noqa: DTZ001
        dt.datetime(2020, 1, 1, fold=1),  # noqa: DTZ001
        dt.time(1, 2),
        dt.time(1, 2, 3, 4, tzinfo=dt.UTC),
        dt.timedelta(),
        dt.timedelta(-1, 5, 7),
        dt.UTC,
        dt.timezone(dt.timedelta(hours=2)),
        dt.timezone(dt.timedelta(hours=-2), "name"),
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        dt.datetime.max,  # noqa: DTZ901
    ],
    numbers=lambda: [
        decimal.Decimal("1.50"),
        decimal.Decimal("-0"),
        decimal.Decimal("Infinity"),
        fractions.Fraction(1, 3),
    ],
    uuids=lambda: [
        uuid.UUID(int=5),
        uuid.UUID("12345678123456781234567812345678", is_safe=uuid.SafeUUID.safe),
    ],
    paths=lambda: [
        pathlib.Path("a/b"),
        pathlib.PurePosixPath("/x"),
        pathlib.PureWindowsPath("c:/x"),
        pathlib.Path(),
    ],
    enums=lambda: [
        *(Colour.RED, Colour.CRIMSON, Rank.HIGH, Mode.READ, Odd["a b"], Odd.c, Odd["class"], enum.CONTINUOUS),
        *(things.Open.KNOWN, things.Open(77)),
    ],
    flags=lambda: [
        Mode.READ | Mode.RUN,
        Mode(0),
        Bits.A | Bits.B,
        Bits(0),
        Bits(9),
        re.IGNORECASE | re.DOTALL,
    ],
    named=lambda: [Pair(1, [2]), Pair(1), OldPair("a", "b")],
    dataclasses_=lambda: [Point(1, 2), Frozen(1, [2]), FrozenSlots(1, {2}), HandSlots(1, 2), Slots([1])],
    slots=lambda: [Mangled(3), MangledChild(4, 5), Hidden(6)],
    collections_=lambda: [
        collections.defaultdict(list, {1: [2]}),
        collections.Counter("abca"),
        collections.OrderedDict(b=1, a=2),
        collections.deque([1, [2]]),
        collections.deque([1, 2], 5),
        collections.deque(maxlen=0),
        collections.ChainMap({1: 2}, {}),
        collections.UserDict(a=1),
        collections.UserList([1]),
        types.SimpleNamespace(a=1, b=[2]),
        collections.deque(),
        types.MappingProxyType({"a": 1}),
    ],
    defaultdict_bound=lambda: collections.defaultdict([1, 2].count, {3: 4}),
    patterns=lambda: [
        re.compile("a+"),
        re.compile(b"x", re.IGNORECASE),
        re.compile("y", re.MULTILINE | re.VERBOSE | re.ASCII),
    ],
    operators=lambda: [
        operator.itemgetter(1),
        operator.itemgetter(1, "a"),
        operator.attrgetter("a.b"),
        operator.methodcaller("f", 1),
        operator.methodcaller("f", 1, k=[2]),
    ],
    subclasses=lambda: [Int(5), Str("x"), Tuple((1, 2)), List([1]), Dict(a=1), Set({1}), Float(1.5)],
    classes=lambda: [
        int,
        type,
        type(None),
        type(...),
        types.FunctionType,
        Plain,
        Plain.Inner,
        Plain.Inner.Innermost,
        list[int],
        dict[str, list[int]],
        int | str,
        collections.OrderedDict,
        dataclasses.Field,
    ],
    functions=lambda: [
        len,
        print,
        math.sin,
        function,
        Plain.helper,
        Plain.make,
        Plain.method,
        operator.add,
        str.upper,
        dict.fromkeys,
        functools.reduce,
        random.random,
        itertools.chain.from_iterable,
        [].append.__class__,
    ],
    modules=lambda: [math, sys, things],
    ip=lambda: [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/8")],
    arrays=lambda: [array.array("i", [1, -2]), array.array("d")],
    text_array=lambda: array.array("w" if sys.version_info >= (3, 13) else "u", "ab"),
    random_=lambda: random.Random(5),
    sentinels=lambda: [dataclasses.MISSING, NOTHING, MISSING, the_one, dataclasses.KW_ONLY],
    stateful_global=lambda: things.registry,
    liar=lambda: [Liar()],
    proxy=lambda: Proxy(Plain(a=1)),
    states=lambda: [NewargsEx(1, b=[2]), ReduceAll([1], {2: 3}, [4]), ReduceAll()],
    odd_names=lambda: Plain(**{"\u017f": 1, "s": 2, "class": 3, "a b": 4, "__debug__": 5, "é": 6}),
    odd_keywords=lambda: functools.partial(function, **{"\u017f": 1, "s": 2, "class": 3, "a b": 4, "x": 5}),
)


@case
def nans():
    shared = float("nan")
    return [shared, shared, float("nan"), complex(nan, 1), {"a": float("nan")}]


@case
def zones():
    return [
        zoneinfo.ZoneInfo("Europe/Berlin"),
        zoneinfo.ZoneInfo.no_cache("Asia/Tokyo"),
        dt.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("UTC")),
    ]


@case
def partials():
    made = functools.partial(function, 1, [2], key={3})
    made.note = "x"
    return [made, functools.partial(int, base=2)]


@case
def bound_methods():
    plain = Plain(a=1)
    return [plain, plain.method, "abc".upper, [1].append, Plain.make]


@case
def attributes_of_subclasses():
    values = [Int(5), Str("x"), Tuple((1, 2)), List([1]), Dict(a=1), Set({1}), KeywordError(code=3)]
    for value in values:
        value.note = ["kept"]
    made = Float(2.5)
    made.unit = "m"
    tally, length = things.Tally("abca"), things.Length("1.50")
    tally.note = [tally]
    length.note, length.unit = "n", "m"
    return [*values, made, tally, length]


@case
def errors():
    values = [
        ValueError("x", 1),
        KeyError("k"),
        OSError(2, "text", "file"),
        StopIteration(5),
        SystemExit(3),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        SyntaxError("msg", ("f", 1, 2, "text", 1, 3)),
        ImportError("x", name="n", path="p"),
        ExceptionGroup("g", [ValueError(1)]),
        KeywordError(code=7),
        FileError("here"),
        AttributeError("a", name="n", obj=[1]),
    ]
    later = StopIteration(1), SyntaxError("msg"), UnicodeDecodeError("utf-8", b"xyz", 0, 1, "why"), OSError(1)
    later[0].value = [2]
    later[1].lineno, later[1].filename = 7, "f"
    later[2].start = 1
    later[3].filename = "f"
    noted = ValueError("noted")
    noted.add_note("see")
    noted.extra = [1]
    caused = KeywordError(code=8)
    caused.__cause__ = noted
    caused.__context__ = caused.__cause__
    return [*values, noted, caused, *later, things.SlotError([1])]


@case
def sharing():
    o = Plain(a=1)
    d = Dict(o=o)
    d.note = [o]
    shared = [1]
    text = "long" * 100
    return [
        d,
        o,
        o,
        shared,
        {"k": shared},
        {(1, o): shared},
        {o},
        collections.deque([shared, o]),
        Point(shared, o),
        Frozen(shared, o),
        text,
        [text],
        collections.defaultdict(list, {o: shared}),
    ]


@case
def shared_first_in_a_key():
    key = Frozen(1, (2,))
    return [{key: 1}, key, {"k": key}]


@case
def cycles():
    a = [1]
    a.append(a)
    d = {}
    d["d"] = d
    t = ([], 1)
    t[0].append(t)
    p = Plain()
    p.me = p
    p.list = [p, {"p": (p,)}]
    s = Slots(None)
    s.x = (s, [s])
    q = collections.deque()
    q.append(q)
    c, e = [], []
    c.append(e)
    e.append((c, e))
    x = ValueError()
    x.args = (x,)
    return [a, d, t, p, s, q, c, e, functools.partial(function, p)]


@case
def cycles_of_hashes():
    h = Hashed("h")
    h.peers.add(h)
    i, j = Hashed("i"), Hashed("j")
    i.peers |= {i, j}
    j.peers |= {i}
    k = Hashed("k")
    k.table = {k: [k], (1, k): k}
    in_set = Hashed("l")
    s = {in_set}
    in_set.peers = s
    return [h, [i, j], k, s]


def frozen_peers(more=0):
    """Return objects that refer to each other through frozensets, directly and in tuples."""
    a, b, c = Hashed("a"), Hashed("b"), Hashed("c")
    a.peers = frozenset({a, b})
    b.peers = frozenset({(a, c), frozenset({c}), b})
    c.peers = frozenset({a, (b, (c,))})
    d = Hashed("d")
    d.peers = (d, frozenset({d}))
    return [d.peers[1], a, b, c, {a: c}, *[(i, a) for i in range(more)]]


_add(CASES, cycles_of_frozensets=frozen_peers, big_cycles_of_frozensets=lambda: frozen_peers(1_500))


@case
def proxies():
    """A proxy shows what its dict holds."""
    table = {"a": 1}
    proxy = types.MappingProxyType(table)
    table["proxy"] = proxy
    return [table, proxy, types.MappingProxyType(collections.OrderedDict(a=table))]


@case
def deep():
    value = []
    for _ in range(1000):
        value = [value]
    return value


@case
def deep_mixture():
    value = ()
    for i in range(1000):
        value = (value,) if i % 3 == 0 else {"k": value} if i % 3 == 1 else Point(value, i)
    return value


@case
def big_list():
    return list(range(5000))


@case
def big_dict():
    return {str(i): [i, None, 1.5, {"x": i}] for i in range(400)}


@case
def big_odd_dict():
    return {i: (i, str(i)) for i in range(900)}


@case
def big_mixture():
    shared = Plain(a=1)
    values = [Point(i, [i, (i, 1.5)]) for i in range(300)]
    return [
        values,
        dict.fromkeys(range(300), shared),
        {(i, b"x"): complex(i, -0.0) for i in range(300)},
        [dt.date(2020, 1, 1 + i % 28) for i in range(300)],
        ["x" * i for i in range(300)],
        [
            10**5000,
            bytes(range(256)) * 9,
            float("nan"),
            Colour.RED,
            Mode.READ | Mode.RUN,
            functools.partial(function, a=1),
        ],
        frozenset({1, 2}),
        {3, (4, 5)},
        [Hashed("a"), KeywordError(code=1), ReduceAll([1], {2: 3}, 4), Slots(1)],
        collections.OrderedDict((i, i) for i in range(50)),
        collections.deque([1, 2], 9),
        NewargsEx(1, b=[2]),
        MISSING,
        inf,
        "don't \\ '''",
    ]


@case
def big_cycles():
    nodes = [Plain(i=i) for i in range(400)]
    for i, node in enumerate(nodes):
        node.next = nodes[(i + 1) % 400]
        node.all = nodes
        node.table = {node: (node, i)}
        node.seen = {node, i}
    h = Hashed("h")
    h.peers.add(h)
    t = ([], 1)
    t[0].append(t)
    return [nodes, h, t]


@case
def many_shared_lists():
    lists = [[i] for i in range(1200)]
    return [lists, lists[::-1]]


def _numpy():
    import numpy as np

    return np


def _before(np, version):
    return np.lib.NumpyVersion(np.__version__) < version


@array_case
def plain_arrays():
    np = _numpy()
    return [
        np.arange(5),
        np.arange(6.0).reshape(2, 3),
        np.zeros((0, 3)),
        np.array(5),
        np.array([True, False]),
        np.array([1 + 2j, complex(-0.0, 0.0)]),
        np.float32([0.1, nan, -0.0]),
        np.array(["a", "bcd\0e"]),
        np.array([b"x"]),
        np.array([], dtype="U"),
        np.array([1], dtype=">i8"),
        np.arange(2000),
        np.linspace(0, 1, 1500),
    ]


@array_case
def orders_and_flags():
    np = _numpy()
    fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
    fixed = np.arange(4)
    fixed.flags.writeable = False
    fixed_fortran = np.asfortranarray(np.ones((40, 50)))
    fixed_fortran.flags.writeable = False
    return [fortran, fixed, fixed_fortran, np.ones((3, 4)).T]


@array_case
def dtypes():
    np = _numpy()
    record = np.dtype([("a", "<i4"), ("b", "U3"), ("c", "f8", (2,))])
    aligned = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    nested = np.dtype({"names": ["x", "y"], "formats": [record, "M8[D]"], "offsets": [0, 64], "itemsize": 80})
    titled = np.dtype([(("title", "a"), "<i4")])
    noted = np.dtype("f8", metadata={"unit": "m"})
    values = [
        np.zeros(3, dtype)
        for dtype in (record, aligned, nested, titled, noted, "M8[ns]", "m8[25s]", "g", "G", "f2", "V5")
    ]
    return [
        *values,
        record,
        aligned,
        nested,
        titled,
        np.dtype("i4"),
        np.dtype(("i4", (2, 3))),
        np.array(["2020-01-01", "NaT"], "M8[s]"),
        np.zeros(2, "M8"),
    ]


@array_case
def wide_structure():
    np = _numpy()
    return np.zeros(2, [(f"field_{i}", "<f8") for i in range(2000)])


def _is_scalar_class(thing):
    return isinstance(thing, type) and issubclass(thing, _numpy().generic)


@array_case
def foreign_dtypes():
    np = _numpy()
    import ml_dtypes

    return [
        np.arange(5).astype(ml_dtypes.bfloat16),
        np.arange(5).astype(ml_dtypes.float8_e5m2),
        np.arange(4).astype(ml_dtypes.int4),
        np.dtype(ml_dtypes.bfloat16),
        ml_dtypes.bfloat16(1.5),
        *(np.array([1, 0, 1]).astype(kind) for kind in vars(ml_dtypes).values() if _is_scalar_class(kind)),
    ]


@array_case
def text_dtypes():
    np = _numpy()
    return [
        np.array(["a", "a long text\0"], np.dtypes.StringDType()),
        np.array(["a", None], np.dtypes.StringDType(na_object=None)),
        np.dtypes.StringDType(coerce=False),
    ]


@array_case
def objects_in_arrays():
    np = _numpy()
    shared = [1]
    made = np.empty((2, 2), object)
    made[:] = [[shared, None], ["x", shared]]
    cyclic = np.empty(1, object)
    return [made, shared, cyclic, np.array([], object)]


@array_case
def scalars():
    np = _numpy()
    without_unit = _before(np, "2.5.0")  # which deprecates it
    return [
        np.float64(1.5),
        np.float32(0.1),
        np.float16(nan),
        np.float64(inf),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.complex64(1 + 2j),
        np.str_("a"),
        np.bytes_(b"x"),
        np.datetime64("2020-01-01T00:00", "m"),
        np.timedelta64(5, "25s"),
        np.longdouble(1) / 3,
        np.zeros(1, "i4,f8")[0],
        np.longlong(5),
        np.clongdouble(1j),
        np.timedelta64("NaT", "s"),
        np.datetime64("NaT", "s"),
        *([np.datetime64("NaT"), np.timedelta64(3)] if without_unit else []),
    ]


@array_case
def subclasses_of_arrays():
    np = _numpy()
    records = np.rec.array([(1, "x"), (2, "y")], dtype=[("a", "i4"), ("b", "U1")])
    return [np.ones((1, 2)).view(np.matrix), records, records[0], np.zeros(2, records.dtype)]


@array_case
def masked_arrays():
    np = _numpy()
    hard = np.ma.array([1.0, 2.0], mask=[0, 1], hard_mask=True, fill_value=-1)
    return [
        np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        np.ma.array([1, 2]),
        hard,
        np.ma.masked,
        np.ma.array(np.zeros(2, "i4,f8"), mask=[(0, 1), (1, 0)]),
    ]


@array_case
def shared_memory():
    np = _numpy()
    base = np.arange(3000.0)
    matrix = np.asfortranarray(np.arange(12).reshape(3, 4))
    lost = np.arange(100)
    return [
        base,
        base[10:20],
        base[::-1],
        base.reshape(3, 1000).T,
        base.view("i8")[5:],
        matrix,
        matrix[1],
        lost[5:20],
        lost[10:40:3],
        {"again": base},
    ]


@array_case
def moving_windows():
    """Views by strides, of an array that is there and of one that is lost."""
    np = _numpy()
    windows = np.lib.stride_tricks.sliding_window_view
    base, lost = np.arange(100.0), np.arange(100.0)
    return [base, windows(base, 3), windows(lost, 5), lost[3:]]


@array_case
def odd_arrays():
    np = _numpy()
    number = np.dtype(("<i4", [("low", "<u2"), ("high", "<u2")]))
    fixed = np.array([1, None], object)
    fixed.flags.writeable = False
    return [
        *(np.zeros((3, 0, 2)), np.zeros(3, "V0"), np.zeros(2, []), np.array([], object)),
        *(np.bytes_(b"a\0"), np.str_("a\0"), np.dtype(np.record), number, np.zeros(2, number)),
        *(fixed, np.ma.array([1, "x", None], mask=[0, 1, 0], dtype=object)),
        *([np.array(["a", "b "]).view(np.char.chararray)] if _before(np, "2.5.0") else []),
    ]


@array_case
def functions_of_numpy():
    np = _numpy()
    return [
        np.sin,
        np.sum,
        np.linalg.norm,
        np.float64,
        np.ndarray,
        np.bool_,
        np.dtype,
        np.add.reduce.__class__,
    ]


@array_case
def random_numbers():
    np = _numpy()
    return [np.random.default_rng(5), np.random.RandomState(3), np.random.PCG64(1)]


@array_case
def nested_arrays():
    np = _numpy()
    x = np.arange(2000)
    return {"x": x, "list": [x, np.ones(3)], "object": Plain(x=x, y=np.zeros(1500)), "set": {(1, 2)}}


@array_case
def sparse_matrices():
    from scipy import sparse

    dense = [[0, 1.5, 0], [2, 0, 0]]
    noted = sparse.csr_array(dense)
    noted.note = [1]
    return [
        noted,
        sparse.csr_matrix(dense),
        sparse.csc_array(dense),
        sparse.bsr_matrix(dense),
        sparse.coo_matrix(dense),
        sparse.dia_matrix(dense),
        sparse.lil_matrix(dense),
        sparse.dok_matrix(dense),
    ]


@array_case
def uncertain_numbers():
    import uncertainties

    u = uncertainties.ufloat(0.1, 0.2, "tag")
    a, b = uncertainties.correlated_values([1, 2], [[1, 0.5], [0.5, 2]], tags=["a", "b"])
    return [u, u + 1, a, b, a * b]


@array_case
def frames():
    np = _numpy()
    import pandas as pd

    frame = pd.DataFrame(
        {
            "int": [1, 2],
            "float": [1.5, nan],
            "text": ["a", "b"],
            "object": np.array([[1], None], object),
            "bool": [True, False],
            "time": pd.to_datetime(["2020-01-01", None]),
            "zoned": pd.to_datetime(["2020-01-01", "2020-07-01"]).tz_localize("Europe/Berlin"),
            "delta": pd.to_timedelta([1, 2], "h"),
            "category": pd.Categorical(["x", "y"], ordered=True),
            "nullable": pd.array([1, None], "Int64"),
            "real": pd.array([1.5, None], "Float64"),
            "flag": pd.array([True, None], "boolean"),
            "string": pd.array(["a", None], "string"),
            "period": pd.period_range("2020-01", periods=2, freq="M"),
            "interval": pd.interval_range(0, 2),
        }
    )
    frame.attrs["unit"] = "m"
    return [
        frame,
        frame.set_index(["text", "int"]),
        pd.DataFrame({1: [1], 1.5: [2]}, index=["i"]),
        pd.DataFrame(),
        pd.DataFrame(np.arange(6).reshape(2, 3), columns=["a", "a", "b"]),
    ]


@array_case
def series_and_scalars():
    import pandas as pd

    holidays = pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])
    return [
        pd.Series([1, 2], name="s"),
        pd.Series({"a": 1}),
        pd.date_range("2020", periods=3, freq="D", tz="UTC"),
        pd.Index(["a", "b"], name="n"),
        pd.RangeIndex(5),
        pd.MultiIndex.from_product([[1, 2], ["a"]], names=["x", None]),
        pd.Timestamp("2020-01-01 12:00:00.123456789"),
        pd.Timestamp("2020-07-01", tz="Europe/Berlin"),
        pd.Timedelta("1h"),
        pd.Timestamp("2020-07-01", tz="Europe/Berlin").as_unit("s"),
        pd.Timedelta("1h").as_unit("ms"),
        pd.Period("2020-01", "M"),
        pd.NaT,
        pd.NA,
        pd.Interval(0, 1),
        pd.CategoricalDtype(["a"]),
        pd.Int64Dtype(),
        pd.period_range("2020", periods=2, freq="Y"),
        pd.CategoricalIndex(["a", "b"]),
        pd.IntervalIndex.from_breaks([0, 1, 2]),
        pd.TimedeltaIndex(["1h", "2h"]),
        *(pd.offsets.MonthEnd(2), pd.DateOffset(months=3), holidays),
        *(pd.date_range("2020", periods=3, freq=holidays), pd.date_range("2020", periods=3, freq="B")),
    ]
