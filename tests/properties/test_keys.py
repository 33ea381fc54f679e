"""What holds for the key codecs whatever the key."""

import itertools
import math
import re
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from exploring import examples
from holdall.abc import NOT_MINE
from holdall.keys import AnyKeys, Digest, IdentityKeys, PathKeys, Prefix, Suffix, Under

HOSTILE = [
    *("", ".", "..", "...", "/", "//", "a", "a/b", "a.json", "a.json/b", "A.JSON/b", "x", "x/", "/x", "A"),
    *(
        "\u00e9",
        "e\u0301",
        "\u212b",
        "\u00c5",
        "A\u030a",
        "<\u0327",
        "\u226e",
        "<\u0338",
        ".\u0327",
        "=\u0338",
    ),
    *(
        "x" * 300,
        "x" * 5000,
        "." * 300,
        "con." * 100,
        " " * 300,
        "\u00e9" * 200,
        "e\u0301" * 300,
        "j\u030c" * 200,
    ),
    *("a" * 248 + "." * 10, "\u0301" * 300, ("a" * 247 + ".json") * 2, "/".join(["x" * 300] * 3)),
    *(
        "con",
        "CON",
        "con .txt",
        "NUL.txt",
        "aux/b",
        "com\u00b9",
        "COM1.tar.gz",
        "conin$",
        "conout$",
        "console",
    ),
    *(
        "\x00",
        "\x7f",
        "\x85",
        "\ud800",
        "\udcff",
        "\ud83d\ude00",
        "%",
        "%2F",
        "%2f",
        "%25",
        "a%",
        "a%/b",
        "-rf",
    ),
    *(
        "a:b",
        "a.",
        "a ",
        " a",
        "a. ",
        "a..b",
        "\u200f\u202eabc",
        "\U0001f600" * 100,
        "\u0130",
        "\u0131",
        "\u00df",
    ),
    *(
        ".json",
        "a/.json/b",
        ".holdall",
        ".HOLDALL-x",
        ".git/config",
        "a\\b",
        "~",
        "a\nb",
        "\u212a.json",
        "!",
        "!1",
    ),
]

# Few characters and many collisions find more than all of Unicode; both are tried.
TRICKY = st.sampled_from(
    [
        *"aAcConNuUl1%.,./ \\:jJsSoOnN_-!2fF",
        "\u0301",
        "\u0327",
        "\u0338",
        "\u00e9",
        "\u00b9",
        "\ud800",
        "\udc00",
    ],
)
# Drawn by number, since the text itself is too long to be shown as a part of a strategy.
ANY_HOSTILE = st.integers(0, len(HOSTILE) - 1).map(lambda index: HOSTILE[index])
TEXT = st.one_of(
    st.text(TRICKY, max_size=12),
    st.text(st.characters(exclude_categories=()), max_size=20),
    ANY_HOSTILE,
    st.lists(ANY_HOSTILE, min_size=1, max_size=3).map("/".join),
    st.builds(lambda text, n: text * n, st.text(TRICKY, min_size=1, max_size=5), st.integers(40, 200)),
    st.from_regex(r"\A[a-zA-Z0-9_. -]{1,20}(/[a-zA-Z0-9_. -]{1,10}){0,2}\Z"),
)
TUPLES = st.lists(TEXT, min_size=1, max_size=3).map(tuple)

PATHS = [
    PathKeys(suffix=suffix, hidden=hidden, fold_case=fold_case)
    for suffix, hidden, fold_case in itertools.product(
        ["", ".json", "_x", ".tar.gz", "n"], [False, True], [False, True]
    )
]
TUPLE_PATHS = [PathKeys(suffix=suffix, tuples=True) for suffix in ("", ".json", "n")]
paths = st.sampled_from(PATHS)

LITERALS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.binary(max_size=8),
        TEXT,
        st.sampled_from(
            ["!", "!1", "'", '"', "'\"", "\\", -0.0, complex(0.0, -0.0), complex(-0.0, math.nan)]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)),
    max_leaves=8,
)

DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)( *\..*)?", re.IGNORECASE)


def assert_safe(id, *, hidden):
    for name in id.split("/"):
        assert 0 < len(name.encode("utf-8")) <= 255  # strict UTF-8: no lone surrogates
        assert name not in {".", ".."}
        assert hidden or not name.startswith(".")
        assert not name.lower().startswith(".holdall")
        assert name[-1] not in ". "
        assert not re.search(r'[\x00-\x1f\x7f-\x9f<>:"\\|?*]', name)
        assert not DEVICE.fullmatch(name)
        assert unicodedata.is_normalized("NFC", name)


def same(one, other):
    """Whether two literals are equal with equal types, signs of zeros, and NaNs."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, frozenset):
        left = list(other)
        for item in one:
            match = next((index for index, found in enumerate(left) if same(item, found)), None)
            if match is None:
                return False
            del left[match]
        return not left
    return one == other


def reachable(id, ids):
    """Folders that the id needs."""
    parts = id.split("/")
    return {"/".join(parts[:length]) for length in range(1, len(parts))} & ids


@given(codec=paths, key=TEXT)
def test_path_round_trip_and_safe_names(codec, key):
    id = codec.encode(key)
    assert type(id) is str
    assert codec.decode(id) == key
    assert id.endswith(codec.suffix)
    assert_safe(id, hidden=codec.hidden)
    assert unicodedata.is_normalized("NFC", id)


@pytest.mark.parametrize("codec", PATHS, ids=repr)
def test_hostile_keys_coexist(codec):
    ids = {codec.encode(key) for key in HOSTILE}
    assert len(ids) == len(set(HOSTILE))
    assert len({unicodedata.normalize("NFC", id) for id in ids}) == len(ids)
    assert len({unicodedata.normalize("NFD", id) for id in ids}) == len(ids)
    if codec.fold_case:
        assert len({id.casefold() for id in ids}) == len(ids)
    for key in HOSTILE:
        id = codec.encode(key)
        assert codec.decode(id) == key
        assert_safe(id, hidden=codec.hidden)
        assert not codec.suffix or not reachable(id, ids)


@given(codec=st.sampled_from(TUPLE_PATHS), key=TUPLES, other=TUPLES)
def test_tuples_round_trip_and_stay_apart(codec, key, other):
    id = codec.encode(key)
    assert codec.decode(id) == key
    assert_safe(id, hidden=False)
    assert (codec.encode(other) == id) == (key == other)
    assert codec.encode(key[0]) == codec.encode(key[:1])


@given(codec=paths, one=TEXT, other=TEXT)
@example(codec=PathKeys(fold_case=True), one="A", other="a")
@example(codec=PathKeys(fold_case=True), one="\u017f", other="s")
@example(codec=PathKeys(), one="\u00e9", other="e\u0301")
def test_different_keys_have_names_that_no_file_system_confuses(codec, one, other):
    assume(one != other)
    first, second = codec.encode(one), codec.encode(other)
    for form in ("NFC", "NFD"):
        assert unicodedata.normalize(form, first) != unicodedata.normalize(form, second)
    if codec.fold_case:
        assert first.casefold() != second.casefold()
        assert first.lower() != second.lower()


@given(
    codec=st.sampled_from([codec for codec in PATHS + TUPLE_PATHS if codec.suffix]),
    keys=st.lists(TEXT, max_size=5),
)
@example(codec=PathKeys(suffix=".json"), keys=["a", "a/b", "a.json/b", "a.JSON/b/c", "a.json.json/b"])
def test_no_file_is_in_the_way_of_a_folder(codec, keys):
    deeper = [f"{key}{codec.suffix}/{key}" for key in keys]
    every = keys + deeper + [key + codec.suffix.upper() + "/x" for key in keys]
    if codec.tuples:
        every = [tuple(key.split("/")) for key in every]
    ids = {codec.encode(key) for key in every}
    folded = {id.lower() for id in ids}
    for id in ids:
        assert not reachable(id, ids)
        assert not reachable(id.lower(), folded)


@given(
    codec=st.sampled_from(PATHS + TUPLE_PATHS),
    id=st.one_of(TEXT, st.text(TRICKY).map(lambda text: text + ".json")),
)
@example(codec=PathKeys(), id="%2F")
@example(codec=PathKeys(), id="a%2Fb")
def test_path_ids_are_canonical(codec, id):
    key = codec.decode(id)
    assert codec.owns(id) == (key is not NOT_MINE)
    if key is not NOT_MINE:
        assert codec.encode(key) == id


@given(codec=paths, key=TEXT)
@examples(150)
def test_fast_path_agrees_with_slow_path(codec, key):
    slow = codec._spell(codec._segments(key), is_file=True)
    assert codec.encode(key) == slow
    assert codec._read(slow) == codec.decode(slow) == key
    if codec._ordinary_key(key):
        assert slow == key + codec.suffix
    if codec._ordinary_id(key):
        assert codec._read(key) == codec.decode(key) == key.removesuffix(codec.suffix)


@given(codec=st.sampled_from(TUPLE_PATHS), key=TUPLES)
def test_fast_path_agrees_with_slow_path_for_tuples(codec, key):
    slow = codec._spell(codec._segments(key), is_file=True)
    assert codec.encode(key) == slow
    assert codec._read(slow) == codec.decode(slow) == key


@given(codec=paths, prefix=TEXT, rest=TEXT)
def test_ids_below_a_prefix_start_with_its_id_prefix(codec, prefix, rest):
    start = codec.id_prefix(prefix)
    assert start.endswith("/")
    assert codec.encode(f"{prefix}/{rest}").startswith(start)


@given(codec=st.sampled_from([*TUPLE_PATHS, AnyKeys()]), prefix=st.one_of(TUPLES, st.just(())), rest=TUPLES)
def test_ids_below_a_tuple_start_with_its_id_prefix(codec, prefix, rest):
    assert codec.encode(prefix + rest).startswith(codec.id_prefix(prefix))


@given(prefix=TEXT, rest=TEXT, text=TEXT)
def test_other_id_prefixes(prefix, rest, text):
    for codec in (AnyKeys(), IdentityKeys(), Prefix(text), Suffix(text), Digest(), Under(PathKeys(), text)):
        assert codec.encode(f"{prefix}/{rest}").startswith(codec.id_prefix(prefix))


@given(key=LITERALS)
def test_literals_round_trip_with_their_types(key):
    for codec in (
        AnyKeys(),
        AnyKeys() | PathKeys(suffix=".pkl"),
        AnyKeys() | Prefix("p-") | PathKeys(fold_case=True),
    ):
        id = codec.encode(key)
        assert type(id) is str
        assert same(codec.decode(id), key)
        assert codec.encode(codec.decode(id)) == id


@given(one=LITERALS, other=LITERALS)
@example(one=1, other=True)
@example(one=1.0, other=1)
@example(one=0.0, other=-0.0)
@example(one="1", other=1)
@example(one=("x",), other="x")
@example(one=(1, (True,)), other=(True, (1,)))
@example(one=frozenset({1}), other=frozenset({True}))
@example(one="!1", other=1)
@example(one=b"x", other="x")
@example(one=1, other=1 + 0j)
def test_literals_stay_apart(one, other):
    assert (AnyKeys().encode(one) == AnyKeys().encode(other)) == same(one, other)


@given(
    id=st.one_of(
        TEXT,
        TEXT.map("!".__add__),
        st.text("!()'\"{},1.-e+frozensetcomplxiaTu \\bux", max_size=20).map("!".__add__),
        LITERALS.map(lambda value: f"!{value!r}"),
        st.text("(,){}'1 ", max_size=600).map("!".__add__),
    ),
)
@example(id="!frozenset({1, True})")
@example(id="!frozenset({2, 1})")
@example(id="!-nan")
@example(id="!'\\d'")
@example(id="!1if 1else 2")
@example(id="!1inf")
@example(id="!('a' 'b', )")
def test_any_ids_are_canonical(id):
    key = AnyKeys().decode(id)
    if key is not NOT_MINE:
        assert AnyKeys().encode(key) == id


@given(prefix=TEXT, key=TEXT)
def test_under_text(prefix, key):
    for codec in (IdentityKeys(), AnyKeys(), PathKeys(suffix=".json"), Under(PathKeys(), "a")):
        under = Under(codec, prefix)
        assert under.decode(under.encode(key)) == key
        assert under.encode(key) == codec.encode(f"{prefix}/{key}")
        assert under.decode(codec.encode(prefix)) is NOT_MINE
        assert under.decode(codec.encode(f"{prefix}x/{key}")) is NOT_MINE


@given(prefix=TUPLES, key=TUPLES)
def test_under_tuples(prefix, key):
    for codec in (IdentityKeys(), AnyKeys(), PathKeys(tuples=True), Under(AnyKeys(), (1,))):
        under = Under(codec, prefix)
        assert under.decode(under.encode(key)) == key
        assert under.encode(key[0]) == under.encode(key[:1])
        assert under.decode(codec.encode(prefix)) is NOT_MINE


@given(text=TEXT, key=TEXT, id=TEXT)
def test_affixes(text, key, id):
    for codec in (Prefix(text), Suffix(text)):
        assert codec.decode(codec.encode(key)) == key
        decoded = codec.decode(id)
        assert decoded is NOT_MINE or codec.encode(decoded) == id


@given(one=LITERALS, other=LITERALS)
def test_digests(one, other):
    codec = Digest()
    assert codec.owns(codec.encode(one))
    assert (codec.encode(one) == codec.encode(other)) == same(one, other)


ids_of_all_kinds = st.lists(
    st.one_of(
        st.text("ab.-/~ \n%", max_size=8),
        st.sampled_from(
            ["a.json", "b/c.json", "con.json", "x.json.json", ".a.json", "a\n.json", "a.json\nb.json"]
        ),
    ),
    max_size=12,
)


@given(ids=ids_of_all_kinds, suffix=st.sampled_from(["", ".json"]), tuples=st.booleans())
def test_decoding_many_ids_is_decoding_each(ids, suffix, tuples):
    """The fast path for whole pages gives what single ids give, odd names among them or not."""
    codec = PathKeys(suffix=suffix, tuples=tuples)
    each = [key for key in map(codec.decode, ids) if key is not NOT_MINE]
    assert codec.decode_many(ids) == each


def test_decoding_a_page_of_ordinary_ids_is_fast_and_right():
    codec = PathKeys(suffix=".json")
    keys = [f"run/{number}" for number in range(1000)]
    ids = [codec.encode(key) for key in keys]
    assert codec._ordinary_lines("".join(f"{id}\n" for id in ids))
    assert codec.decode_many(ids) == keys
