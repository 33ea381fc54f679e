"""Key codecs, case by case."""

import copy
import datetime as dt
import decimal
import enum
import fractions
import os
import pathlib
import pickle
import subprocess
import sys
import uuid
import warnings
import zoneinfo
from typing import NamedTuple

import pytest

from holdall import (
    ArchiveStore,
    FileDirStore,
    MemoryStore,
    ScriptStore,
    SpillStore,
    SQLiteStore,
    Store,
    ZipStore,
)
from holdall.abc import NOT_MINE, KeyCodec
from holdall.errors import InvalidArgumentError, InvalidKeyError, UnsupportedError
from holdall.keys import (
    AnyKeys,
    Digest,
    IdentityKeys,
    PathKeys,
    Prefix,
    Suffix,
    Template,
    Under,
    as_key_codec,
)
from holdall.wrappers import wrap_keys

DATE = (dt.date, dt.date.isoformat, dt.date.fromisoformat)
Colour = enum.StrEnum("Colour", {"RED": "red"})
Number = enum.IntEnum("Number", {"ONE": 1})


class Point(NamedTuple):
    x: int
    y: int


class LoudText(str):
    __slots__ = ()

    def __str__(self):
        return "loud"


def hexed(key):
    return key.encode().hex()


def unhexed(id):
    return bytes.fromhex(id).decode()


class Hex:
    encode = staticmethod(hexed)
    decode = staticmethod(unhexed)


VALUES = {
    "IdentityKeys()": IdentityKeys(),
    "PathKeys()": PathKeys(suffix="", tuples=False),
    "PathKeys(suffix='.json', tuples=True, hidden=True, fold_case=True)": PathKeys(
        fold_case=True, hidden=True, suffix=".json", tuples=True
    ),
    "AnyKeys()": AnyKeys({}),
    "AnyKeys(types={'date': datetime.date, 'uuid': uuid.UUID})": AnyKeys({"uuid": uuid.UUID, "date": DATE}),
    "Prefix('a')": Prefix("a"),
    "Suffix('a')": Suffix("a"),
    "Digest()": Digest(AnyKeys(), size=20),
    "Digest(PathKeys(), size=8)": Digest(PathKeys(), size=8),
    "Under(AnyKeys(), ('a', 1))": Under(AnyKeys(), ("a", 1)),
    "AnyKeys() | PathKeys(suffix='.pkl')": AnyKeys() | PathKeys(suffix=".pkl"),
    "as_key_codec((str, int))": as_key_codec((str, int)),
    "as_key_codec((str.lower, str.upper))": as_key_codec((str.lower, str.upper)),
    "as_key_codec((datetime.date.isoformat, datetime.date.fromisoformat))": as_key_codec(DATE[1:]),
}


@pytest.mark.parametrize("shown", VALUES)
def test_codecs_are_values(shown):
    codec = VALUES[shown]
    assert repr(codec) == shown
    for twin in (pickle.loads(pickle.dumps(codec)), copy.copy(codec), copy.deepcopy(codec)):
        assert twin == codec
        assert hash(twin) == hash(codec)
        assert repr(twin) == shown
        assert twin.reversible == codec.reversible
    assert [other for other in VALUES.values() if other == codec] == [codec]


def test_codecs_are_frozen():
    codec = PathKeys()
    with pytest.raises(AttributeError, match="frozen"):
        codec.suffix = ".txt"
    with pytest.raises(AttributeError, match="frozen"):
        del codec.suffix


def test_identity_keeps_anything():
    key = (1, object())
    assert IdentityKeys().encode(key) is key
    assert IdentityKeys().decode(key) is key
    assert IdentityKeys().id_prefix("a") == ""


@pytest.mark.parametrize(
    ("key", "id"),
    [
        ("", "%"),
        ("/", "%/%"),
        ("x/", "x/%"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("../etc/passwd", "%2E%2E/etc/passwd"),
        ("/etc", "%/etc"),
        (".git", "%2Egit"),
        ("a.", "a%2E"),
        ("a ", "a%20"),
        ("a b.txt", "a b.txt"),
        ("con", "%63on"),
        ("NUL.txt", "%4EUL.txt"),
        ("con .txt", "%63on .txt"),
        ("console", "console"),
        ("lpt\u00b3.x", "%6Cpt\u00b3.x"),
        ("a:b", "a%3Ab"),
        ("%2F", "%252F"),
        ("-rf", "-rf"),
        ("\0", "%00"),
        ("\u00e9", "\u00e9"),
        ("e\u0301", "e%CC%81"),
        ("\ud800", "%ED%A0%80"),
        ("<\u0327", "%3C%CC%A7"),
        ("x" * 254, "x" * 254),
        ("x" * 255, "x" * 248 + "%/" + "x" * 7),
    ],
)
def test_path_names(key, id):
    assert PathKeys().encode(key) == id
    assert PathKeys().decode(id) == key


def test_hidden_names():
    keys = PathKeys(hidden=True)
    names = [".git", ".", "..", "...", ".holdall", ".Holdall.json", ".holdal"]
    assert [keys.encode(key) for key in names] == [
        *(".git", "%2E", "%2E%2E", "..%2E", "%2Eholdall", "%2EHoldall.json", ".holdal"),
    ]
    assert keys.decode(".holdall") is NOT_MINE


def test_folders_never_look_like_files():
    keys = PathKeys(suffix=".json")
    assert [keys.encode(key) for key in ("a", "a/b", "a.json/b", "a.JSON/b")] == [
        *("a.json", "a/b.json", "a%2Ejson/b.json", "a%2EJSON/b.json"),
    ]
    assert PathKeys(suffix="_x").encode("a_x/b") == "a%5Fx/b_x"
    assert PathKeys(suffix="n").encode("co") == "%63on"


def test_fold_case():
    keys = PathKeys(fold_case=True)
    assert [keys.encode(key) for key in ("a", "A", "ss", "\u00df", "\u017f")] == [
        *("a", "%41", "ss", "%C3%9F", "%C5%BF"),
    ]


@pytest.mark.parametrize(
    "id",
    [
        *(
            "",
            "a",
            ".json",
            ".a.json",
            "a/.json",
            "a//b.json",
            "a%2Fb.json",
            "%2F.json",
            "/a.json",
            "a.JSON",
            "%41.json",
            "a%2e.json",
            "%zz.json",
        ),
        *(
            "%/",
            "a%.json",
            "a%/b.json",
            "%%.json",
            "%FF.json",
            "../a.json",
            "con.json",
            "\udcff.json",
            "e\u0301.json",
        ),
        *(
            "a.json/b.json",
            "a:b.json",
            "a\nb.json",
            "x" * 300 + ".json",
            "a.json\n",
            "a .json",
            "\0.json",
            "%2.json",
        ),
        *(None, 1, b"a.json", ("a.json",)),
    ],
)
def test_foreign_names_are_not_mine(id):
    assert PathKeys(suffix=".json").decode(id) is NOT_MINE
    assert not PathKeys(suffix=".json").owns(id)


def test_path_id_prefix():
    assert PathKeys(suffix=".json").id_prefix("a/b.json") == "a/b%2Ejson/"
    assert PathKeys(tuples=True).id_prefix(("a", "b/c")) == "a/b%2Fc/"
    assert PathKeys(tuples=True).id_prefix("a") == "a/"
    assert PathKeys(tuples=True).id_prefix(()) == ""
    with pytest.raises(InvalidKeyError):
        PathKeys().id_prefix(("a",))


@pytest.mark.parametrize("key", [1, None, b"a", ("a",), (), ["a"]])
def test_path_keys_are_text(key):
    with pytest.raises(InvalidKeyError, match=r"keys are str here.*use PathKeys\(tuples=True\)"):
        PathKeys().encode(key)


@pytest.mark.parametrize("key", [1, None, (), [], ("a", 1), (b"a",), [["a"], 1], (("a",), ()), {"a"}])
def test_tuple_keys_are_tuples_of_text(key):
    with pytest.raises(InvalidKeyError, match="keys are tuples of one str or more"):
        PathKeys(tuples=True).encode(key)


def test_other_spellings_of_tuple_keys():
    keys = PathKeys(tuples=True, suffix=".json")
    for spelling in (["a", "b"], ("a", ["b"]), [["a"], ("b",)], ((("a", "b"),),)):
        assert keys.encode(spelling) == "a/b.json"
    assert keys.encode("a/b") == "a%2Fb.json"
    deep: list = ["x"]
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InvalidKeyError):
        keys.encode(deep)


def test_tuple_keys():
    keys = PathKeys(tuples=True)
    assert keys.encode(("a/b",)) == "a%2Fb" == keys.encode("a/b")
    assert keys.encode(("a", "b")) == "a/b"
    assert keys.encode(("", "")) == "%/%"
    assert keys.decode("a/b") == ("a", "b")
    assert keys.encode((Colour.RED, LoudText("x"))) == "red/x"


def test_text_subclasses_are_their_text():
    for codec in (PathKeys(), PathKeys(suffix=".x"), Prefix("p"), Suffix("s"), Under(PathKeys(), "u")):
        for key, text in ((Colour.RED, "red"), (LoudText("a b."), "a b.")):
            assert codec.encode(key) == codec.encode(text)
            assert type(codec.encode(key)) is str


@pytest.mark.parametrize(
    "suffix", [".", "a", "Fx", ".json ", "./x", ".%", ".\u00e9", ".x" * 33, "\\", ".a:", 1, None]
)
def test_bad_suffixes(suffix):
    with pytest.raises(InvalidArgumentError, match="suffix"):
        PathKeys(suffix=suffix)


@pytest.mark.parametrize(
    ("key", "id"),
    [
        ("plain/key", "plain/key"),
        ("", ""),
        ("!", "!'!'"),
        (1, "!1"),
        (-7, "!-7"),
        (True, "!True"),
        (1.0, "!1.0"),
        (-0.0, "!-0.0"),
        (float("-inf"), "!-inf"),
        (1e300, "!1e+300"),
        (None, "!None"),
        (b"x", "!b'x'"),
        (("x",), "!('x',)"),
        (("x", 1), "!('x', 1)"),
        (("x", int), "!('x', type('int'))"),
        (type(None), "!type('NoneType')"),
        ((), "!()"),
        (frozenset(), "!frozenset()"),
        (frozenset({2, "b", 1}), "!frozenset({'b', 1, 2})"),
        (("it's", "\u00e9'\n\ud800\x80"), "!(\"it's\", '\u00e9\\'\\n\\ud800\\x80')"),
        (1 - 0j, "!complex(1.0, 0.0)"),
        (10**4299, f"!{10**4299}"),
    ],
)
def test_literal_names(key, id):
    assert AnyKeys().encode(key) == id
    assert AnyKeys().decode(id) == key
    assert type(AnyKeys().decode(id)) is type(key)


def nested(depth, kind):
    key = kind()
    for _ in range(depth):
        key = kind((key,))
    return key


@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_nesting_is_bounded_and_comes_back(kind):
    key = nested(39, kind)
    assert AnyKeys().decode(AnyKeys().encode(key)) == key
    for depth in (40, 5000):
        with pytest.raises(InvalidKeyError, match="40 levels"):
            AnyKeys().encode(nested(depth, kind))


@pytest.mark.parametrize(
    "key",
    [
        enum.Enum("Local", "A B").A,
        dt.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        dt.datetime(2024, 1, 1, fold=1, tzinfo=dt.UTC),
        dt.timedelta(1),
        type("Day", (dt.date,), {})(2024, 1, 1),
        Point(1, 2),
        ...,
        object(),
        list,
        [1],
        {1},
        {},
        bytearray(),
        (1, [2]),
        10**4300,
        -(10**4300),
    ],
    ids=lambda key: type(key).__name__,
)
def test_what_would_not_come_back_is_refused(key):
    with pytest.raises(InvalidKeyError) as caught:
        AnyKeys().encode(key)
    assert len(str(caught.value)) < 400
    with pytest.raises(InvalidKeyError):
        AnyKeys().encode((key,))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " 1",
            "1 ",
            "01",
            "+1",
            "1_0",
            "0x1",
            "1j",
            "(1-0j)",
            "1.",
            "1e5",
            "-nan",
            "nan ",
            "Infinity",
            "...",
            "x",
        ),
        *(
            "(1,2)",
            "(1)",
            "[1]",
            "{1}",
            "'a",
            "'a' 'b'",
            'b"x"',
            "u'x'",
            "'\\d'",
            "'\\u0041'",
            "b'\\u0041'",
            "f'{1}'",
        ),
        *("frozenset({2, 1})", "frozenset([1])", "frozenset({})", "frozenset({1, True})", "frozenset(*{1})"),
        *(
            "frozenset",
            "frozenset(x=1)",
            "complex(1)",
            "complex(1, 2)",
            "__import__('os')",
            "uuid('x')",
            "1if 1else 2",
        ),
        *("'plain'", "\0", "\ud800", "(" * 10**5, "(" * 10**5 + ")" * 10**5, "-" * 10**5 + "1", "9" * 10**5),
        *(
            "1-" * 10**5 + "1",
            "'" + "a" * 10**6,
            "(1, " * 10**5,
            "\n1",
            "1\n",
            "1#",
            "lambda: 1",
            "1inf",
            "-None",
        ),
    ],
)
def test_garbage_is_not_mine(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert AnyKeys().decode("!" + text) is NOT_MINE


@pytest.mark.parametrize("id", [None, 1, b"!1", ("!",)])
def test_ids_that_are_no_text_are_not_mine(id):
    for codec in (AnyKeys(), Prefix(""), Suffix(""), PathKeys()):
        assert codec.decode(id) is NOT_MINE


STANDARD = [
    (Number.ONE, "enum"),
    (Colour.RED, "enum"),
    (dt.date(2024, 2, 29), "date"),
    (dt.datetime(2024, 1, 1, 1, 2, 3, 4), "datetime"),  # noqa: DTZ001
    (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "datetime"),
    (dt.time(1, 2), "time"),
    (uuid.UUID(int=5), "uuid"),
    (decimal.Decimal("-1.5e-7"), "decimal"),
    (decimal.Decimal("Infinity"), "decimal"),
    (pathlib.Path("a/b 'c'"), "path"),
]


@pytest.mark.parametrize(("key", "tag"), STANDARD, ids=lambda thing: str(thing)[:20])
def test_types_of_the_standard_library(key, tag):
    codec = AnyKeys()
    id = codec.encode(key)
    assert id.startswith(f"!{tag}(")
    back = codec.decode(id)
    assert (type(back), back) == (type(key), key)
    for whole in ((key, 1), frozenset({key}), ((key,),)):
        assert codec.decode(codec.encode(whole)) == whole
    assert len({codec.encode(other) for other, _ in STANDARD}) == len(STANDARD)


def test_equal_decimals_are_one_key():
    encode = AnyKeys().encode
    assert encode(decimal.Decimal("1.50")) == encode(decimal.Decimal("1.5")) == "!decimal('1.5')"
    assert encode(decimal.Decimal(100)) == encode(decimal.Decimal("1E+2"))
    assert encode(decimal.Decimal("-0.00")) == encode(decimal.Decimal(0))
    exact = decimal.Decimal("1." + "1" * 100)
    assert AnyKeys().decode(encode(exact)) == exact


@pytest.mark.parametrize(
    "name", ["antigravity:X.A", "os:path", "unit.test_keys:Colour.NONE", "x", ":A", "sys:flags.A"]
)
def test_an_id_of_a_member_imports_nothing(name):
    before = set(sys.modules)
    assert AnyKeys().decode(f"!enum('{name}')") is NOT_MINE
    assert "antigravity" not in set(sys.modules) - before


def test_a_tag_of_ones_own_counts_before_that_of_the_standard_library():
    keys = AnyKeys({"date": (dt.date, dt.date.isoformat, dt.date.fromisoformat), "uuid": fractions.Fraction})
    assert keys.encode(dt.date(2024, 1, 1)) == "!date('2024-01-01')"
    assert keys.encode(fractions.Fraction(1, 3)) == "!uuid('1/3')"
    with pytest.raises(InvalidKeyError):
        keys.encode(uuid.UUID(int=5))


def test_opt_in_types():
    keys = AnyKeys({"fraction": fractions.Fraction})
    for key in (fractions.Fraction(1, 3), (1, frozenset({fractions.Fraction(5)}))):
        assert keys.decode(keys.encode(key)) == key
        assert AnyKeys().decode(keys.encode(key)) is NOT_MINE
        with pytest.raises(InvalidKeyError):
            AnyKeys().encode(key)
    keys = AnyKeys({"uuid": uuid.UUID, "date": DATE, "decimal": decimal.Decimal})
    for key in (uuid.UUID(int=5), (dt.date(2024, 2, 29), frozenset({decimal.Decimal("1.50")}))):
        assert keys.decode(keys.encode(key)) == key
    assert keys.encode(uuid.UUID(int=5)) == "!uuid('00000000-0000-0000-0000-000000000005')"
    assert keys.encode(decimal.Decimal("NaN")) == "!decimal('NaN')"
    for garbage in (
        "!uuid('5')",
        "!uuid(5)",
        "!uuid()",
        "!date('2024-02-30')",
        "!date('20240229')",
        "!decimal(' 1')",
    ):
        assert keys.decode(garbage) is NOT_MINE
    with pytest.raises(InvalidKeyError):
        keys.encode(dt.timedelta(1))


def test_opt_in_types_that_lose_something_are_refused():
    lossy = AnyKeys({"d": (decimal.Decimal, lambda value: str(round(value)), decimal.Decimal)})
    assert lossy.encode(decimal.Decimal(2)) == "!d('2')"
    with pytest.raises(InvalidKeyError, match="does not come back"):
        lossy.encode(decimal.Decimal("2.5"))
    with pytest.raises(InvalidKeyError, match="fails to convert"):
        AnyKeys({"o": object}).encode(object())


@pytest.mark.parametrize(
    "types",
    [
        *({"": uuid.UUID}, {"if": uuid.UUID}, {"nan": uuid.UUID}, {"a-b": uuid.UUID}, {"\u00e9": uuid.UUID}),
        *({"i": int}, {"u": "uuid"}, {"u": (uuid.UUID, str)}, {"u": (uuid.UUID, str, 1)}, {1: uuid.UUID}),
        {"u": uuid.UUID, "v": uuid.UUID},
    ],
)
def test_bad_types(types):
    with pytest.raises(InvalidArgumentError):
        AnyKeys(types)


def test_names_do_not_depend_on_the_hash_seed():
    code = (
        "from holdall.keys import AnyKeys, Digest\n"
        "key = (frozenset({'a', 'b', 'c', 1, None, frozenset({'x', 'y', b'z'})}), 'd')\n"
        "print(AnyKeys().encode(key), Digest().encode(key))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(seen) == 1
    assert "frozenset({'x', 'y', b'z'})" in seen.pop()


@pytest.mark.parametrize("codec", [Prefix("a"), Suffix("a")])
def test_affixes_take_text(codec):
    with pytest.raises(InvalidKeyError, match="are str, got int: 5"):
        codec.encode(5)
    assert codec.decode("b") is NOT_MINE
    assert codec.decode("a") == ""
    with pytest.raises(InvalidArgumentError):
        type(codec)(5)


def test_digest():
    keys = Digest(size=4)
    assert len(keys.encode("a")) == 8
    assert not keys.reversible
    assert keys.owns("0123abcd")
    assert not any(map(keys.owns, ["", "0123abc", "0123ABCD", "0123abcd\n", "0123abcde", None]))
    with pytest.raises(UnsupportedError, match="one-way keys cannot be listed"):
        keys.decode("0123abcd")
    with pytest.raises(InvalidKeyError):
        keys.encode([])
    with pytest.raises(InvalidKeyError, match="only text"):
        Digest(IdentityKeys()).encode(1)
    for size in (0, 65, True, "8", 8.0):
        with pytest.raises(InvalidArgumentError):
            Digest(size=size)
    with pytest.raises(InvalidArgumentError):
        Digest("sha1")


def test_under():
    under = Under(AnyKeys(), "a")
    assert under.decode("a/b") == "b"
    assert under.decode("a/") == ""
    assert [under.decode(id) for id in ("a", "ab/c", "b/a/c", "!('a', 'b')", "!1")] == [NOT_MINE] * 5
    with pytest.raises(InvalidKeyError, match="keys below 'a' are str"):
        under.encode(1)
    assert Under(PathKeys(tuples=True), "a").decode("a/b") == ("b",)
    assert Under(Under(PathKeys(tuples=True), "a"), "b").encode("c/d") == "a/b/c%2Fd"
    assert Under(PathKeys(), "a").id_prefix("b") == "a/b/"
    assert Under(PathKeys(tuples=True), ("a",)).id_prefix(()) == "a/"
    assert not Under(Digest(), "a").reversible


def test_under_tuples_keeps_types_apart():
    under = Under(AnyKeys(), (1,))
    assert under.decode("!(1, 'x')") == ("x",)
    assert under.decode("!(True, 'x')") is NOT_MINE
    assert under.encode("x") == under.encode(("x",)) == "!(1, 'x')"
    with pytest.raises(InvalidKeyError, match="empty tuple"):
        under.encode(())
    for prefix in (1, None, ["a"]):
        with pytest.raises(InvalidKeyError, match="a prefix of keys"):
            Under(AnyKeys(), prefix)
    with pytest.raises(InvalidArgumentError):
        Under("a", "b")


def test_as_key_codec():
    assert as_key_codec(None) == IdentityKeys()
    assert as_key_codec(spec := PathKeys()) is spec
    for spec in (Hex, Hex(), (hexed, unhexed)):
        codec = as_key_codec(spec)
        assert isinstance(codec, KeyCodec)
        assert codec.encode("a") == "61"
        assert codec.decode("61") == "a"
        assert codec.decode("xyz") is NOT_MINE
        with pytest.raises(InvalidKeyError, match="use a key that it accepts"):
            codec.encode(1)
        assert "0x" not in repr(codec)


def test_only_errors_of_values_mean_not_mine():
    def broken(id):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        as_key_codec((str, broken)).decode("a")


@pytest.mark.parametrize("spec", [1, b"utf-8", PathKeys, (str,), (str, 1), (str, int, str), object()])
def test_what_is_no_codec(spec):
    with pytest.raises(InvalidArgumentError, match=r"Accepted: None .* a pair \(encode, decode\)"):
        as_key_codec(spec)


@pytest.mark.parametrize(
    "make",
    [
        lambda path, **options: MemoryStore(**options),
        lambda path, **options: Store({}, **options),
        lambda path, **options: FileDirStore(path / "folder", **options),
        lambda path, **options: SQLiteStore(path / "x.db", **options),
        lambda path, **options: ZipStore(path / "x.zip", **options),
        lambda path, **options: ScriptStore(path / "x.py", create=True, **options),
        lambda path, **options: SpillStore(path / "spilled", **options),
        lambda path, **options: ArchiveStore(path / "kept", **options),
    ],
    ids=["memory", "dict", "folder", "sqlite", "zip", "script", "spill", "archive"],
)
@pytest.mark.parametrize(
    ("keys", "key", "name"), [(tuple, ("a/x", "b"), ("b",)), (str, "a/b", "b")], ids=["tuples", "text"]
)
def test_tuples_and_text_are_paths_in_every_store(tmp_path, make, keys, key, name):
    store = make(tmp_path, keys=keys)
    part = "a/x" if keys is tuple else "a"
    store[key] = b"value"
    assert (list(store), store[key], list(store.subdicts())) == ([key], b"value", [part])
    assert dict(store.get_subdict(part)) == {name: b"value"}
    with pytest.raises(InvalidKeyError):
        store[1] = b"no path"


def test_messages_are_bounded():
    for codec in (PathKeys(), PathKeys(tuples=True), AnyKeys(), Prefix("a"), Under(PathKeys(), "a")):
        with pytest.raises(InvalidKeyError) as caught:
            codec.encode(list(range(10000)))
        assert len(str(caught.value)) < 400


def test_clearing_a_part_of_a_store_of_one_way_keys_does_not_clear_the_rest(tmp_path):
    store = FileDirStore(tmp_path / "store", keys=Digest() | PathKeys())
    store["a/b"], store["c"] = 1, 2
    part = store.get_subdict("a")
    with pytest.raises(UnsupportedError, match="one-way"):
        part.clear()
    assert (store["a/b"], store["c"], part["b"]) == (1, 2, 1)
    store.clear()
    assert "c" not in store


def test_folders_that_are_spelled_are_remembered_and_few_of_them():
    codec = PathKeys(suffix=".x")
    folders = [
        *(f"pack.age{i}/@1" for i in range(250)),
        "a.x",
        "con",
        "%",
        "",
        ".",
        "é",
        "e\u0301",
        "x" * 300,
        "a ",
    ]
    for folder in (*folders, *reversed(folders)):
        assert codec.encode(f"{folder}/name") == codec.id_prefix(folder) + "name.x"
        assert codec.decode(codec.encode(f"{folder}/name")) == f"{folder}/name"
    assert len(codec._folders) <= 100
    assert pickle.loads(pickle.dumps(codec)) == codec


def test_foreign_names_are_left_out_and_not_cut():
    inner = {"README": 1, "a.txt": 2, "p-b.csv": 3, "foo.csv.bak": 4}
    for keys, seen in (
        (Suffix(".txt"), ["a"]),
        (Prefix("p-"), ["b.csv"]),
        (Template("{}.csv"), ["p-b"]),
        (Template("p-{n:d}.csv"), []),
    ):
        s = wrap_keys(inner, keys=keys)
        assert list(s) == [key for key, _ in s.items()] == seen
        assert len(s) == len(seen)
