"""Templates, case by case."""

import copy
import datetime as dt
import math
import os
import pickle
import subprocess
import sys

import pytest

from holdall import FileDirStore, MemoryStore, Store
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError, MismatchError, UnsupportedError
from holdall.keys import AnyKeys, PathKeys, Prefix, Suffix, Template, as_key_codec

CITIES = "{country}/{city}_{year:d}.json"


@pytest.mark.parametrize(
    ("text", "key", "name"),
    [
        (CITIES, ("fr", "paris", 2024), "fr/paris_2024.json"),
        (CITIES, ("fr", "aix_les_bains", -5), "fr/aix_les_bains_-5.json"),
        ("{}.wav", "a", "a.wav"),
        ("{}.wav", "sub/a b", "sub/a b.wav"),
        ("{}.wav", "a.wav", "a.wav.wav"),
        ("{}.wav", ".wav/b", ".wav/b.wav"),
        (r"{::.+-}.x", "a.x/b-", "a.x/b-.x"),
        ("{:s}_{:d}.wav", ("kick_drum", 3), "kick_drum_3.wav"),
        ("{:d}", 0, "0"),
        ("{:04d}", 7, "0007"),
        ("{:04d}", -7, "-007"),
        ("{:04d}", 12345, "12345"),
        ("{:08x}.bin", 255, "000000ff.bin"),
        ("{:x}", -255, "-ff"),
        ("{:f}", 0.5, "0.500000"),
        ("{:.2f}_{:.0f}", (-1.25, 3.0), "-1.25_3"),
        ("{year:d}-{month:02d}-{day:02d}", (2024, 2, 29), "2024-02-29"),
        ("{x:d}-{y:d}", (-1, -2), "-1--2"),
        ("{v:03.0f}.wav", 7.0, "007.wav"),
        ("{v:06.2f}", 3.5, "003.50"),
        ("{rate:g}_{seed:d}.json", (1e-05, -3), "1e-05_-3.json"),
        ("{:g}_{:.9g}", (0.1, 1e20), "0.1_1e+20"),
        ("{:g}", -2.0, "-2"),
        ("{v:06.2f}", -3.5, "-03.50"),
        ("{:d}0a{}", (10, "x"), "100ax"),
        ("{a}-{day:%Y-%m-%d}.csv", ("x-y", dt.date(2024, 2, 29)), "x-y-2024-02-29.csv"),
        ("{day:%Y/%m/%d}/{n:03d}", (dt.date(2024, 2, 29), 7), "2024/02/29/007"),
        ("{day:%Y%j}", dt.date(2024, 2, 29), "2024060"),
        ("{t:%H:%M:%S.%f}", dt.time(1, 2, 3, 4), "01:02:03.000004"),
        ("{t:%Y%m%dT%H%M%%}", dt.datetime(2024, 2, 3, 4, 5), "20240203T0405%"),  # noqa: DTZ001
        ("{a::(?i:x)+}_{b}", ("xX", "z"), "xX_z"),
        ("{q::(?P<q>['-])y(?P=q)}", "'y'", "'y'"),
        ("{{{}}}", "a", "{a}"),
        ("100%/{}", "a%s", "100%/a%s"),
        (r"{sha::[0-9a-f]{4}}/{}", ("00ff", "x"), "00ff/x"),
        (r"{year:d:\d{4}}", 2024, "2024"),
        (r"{a::[^_]+}_{b}", ("x", "y_z"), "x_y_z"),
        (r"{a::\w+}_{b}", ("x_y", "z"), "x_y_z"),
        ("{a} - {b}.txt", ("one-two", "3 4"), "one-two - 3 4.txt"),
        ("{ünï}.é", "è", "è.é"),
        (".{}", "profile", ".profile"),
    ],
)
def test_names(text, key, name):
    template = Template(text)
    assert template.encode(key) == name
    back = template.decode(name)
    assert (type(back), back) == (type(key), key)
    assert template.decode_many(["\n", name]) == [key]
    assert template.to_str(key) == template.to_str(template.to_tuple(key)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (CITIES, "fr/paris_2024.json.bak"),
        (CITIES, "fr/paris_2024.json\n"),
        (CITIES, "x/fr/paris_2024.json"),
        (CITIES, "fr/paris_02024.json"),
        (CITIES, "fr/paris_+2024.json"),
        (CITIES, "fr/paris_2_024.json"),
        (CITIES, "fr/paris_\u0662.json"),
        (CITIES, "fr/paris_.json"),
        (CITIES, "fr/_2024.json"),
        (CITIES, "/paris_2024.json"),
        (CITIES, "../paris_2024.json"),
        (CITIES, "paris_2024.json"),
        (CITIES, "json"),
        ("{}.wav", ".wav"),
        ("{}.wav", "a.WAV"),
        ("{}.wav", "a/.wav"),
        ("{}.wav", "a//b.wav"),
        ("{}.wav", "a.wav/b.wav"),
        ("{}.wav", "c/a.wav/b/d.wav"),
        ("{}.wav", "a/../b.wav"),
        ("{}.wav", "a\0.wav"),
        ("{}.wav", "\udcff.wav"),
        ("{}.", "..."[:2]),
        ("{a}_{b}", "x_y_z"),
        ("{a}_{b}", "x"),
        ("{a}_{b::[0-9]+}", "x_y"),
        ("{:04d}", "007"),
        ("{:04d}", "00007"),
        ("{:d}", "-0"),
        ("{:d}", "9" * 5000),
        ("{:.2f}", "-0.00"),
        ("{:g}", "0.10"),
        ("{:g}", "1e-5"),
        ("{:g}", "0.00001"),
        ("{:g}", "inf"),
        ("{:06.2f}", "3.50"),
        ("{:03.0f}", "7"),
        ("{:%Y-%m-%d}", "2024-02-30"),
        ("{:%Y-%m-%d}", "2024-2-3"),
        ("{:%Y-%m-%d}", "2024-02-03 "),
        ("{:%H%M}", "2400"),
        ("{:f}", "nan"),
        ("{:f}", "inf"),
        ("{:.1f}", "1e3"),
        ("{:x}", "FF"),
        ("{:x}", "0xff"),
        ("{}.wav", None),
        ("{}.wav", b"a.wav"),
        ("{}.wav", ("a.wav",)),
        ("aa{}aa", "aaa"),
    ],
)
def test_what_does_not_fit_is_not_mine(text, name):
    assert Template(text).decode(name) is NOT_MINE
    assert Template(text).decode_many([name]) == []
    assert not Template(text).owns(name)


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        (CITIES, ("fr", "paris", "2024"), r"field 'year' of template .* takes int, got str: '2024'"),
        (CITIES, ("fr", "paris", True), r"field 'year' .* takes int, got bool"),
        (CITIES, ("fr", "paris", 2024.0), r"field 'year' .* takes int, got float"),
        (CITIES, ("fr", 7, 2024), r"field 'city' .* takes str, got int"),
        (CITIES, ("f/r", "paris", 2024), r"field 'country' .* is separated by '/'.*'f/r'"),
        (CITIES, ("", "paris", 2024), r"field 'country' .* is empty"),
        (CITIES, ("..", "paris", 2024), r"field 'country' .* leads out of its folder"),
        (CITIES, ("fr", "a\0b", 2024), r"field 'city' .* NUL"),
        (CITIES, ("fr", "a\ud800", 2024), r"field 'city' .* surrogates"),
        (CITIES, ("fr", "paris"), r"tuples with the fields country, city, year, got tuple"),
        (CITIES, "fr/paris_2024.json", r"are tuples"),
        (CITIES, ["fr", "paris", 2024], r"are tuples"),
        ("{}/{:d}", ("a", None), r"field 2 .* takes int, got NoneType"),
        ("{}.wav", "/etc/passwd", r"field 1 .* no empty parts"),
        ("{}.wav", "a/../../b", r"field 1 .* leads out of its folder"),
        ("{}.wav", "a.wav/b", r"field 1 .* lies in a folder that has the name of another key: 'a.wav'"),
        ("{}/x.wav", "a/x.wav/b", r"field 1 .* lies in a folder .* 'a/x.wav'"),
        ("{}.wav", 1, r"field 1 .* takes str, got int: 1"),
        ("{}.", ".", r"field 1 .* leads out of its folder"),
        ("_{f0}_", "0_/0", r"field 'f0' .* makes the name '_0_/0_', which lies in a folder .* '_0_'"),
        ("_{f0}0{f1}a", ("_", "7a/7"), r"field 'f1' .* lies in a folder .* '__07a'"),
        ("{a::.+}_/{b::[a-z]}_", ("p_/q", "y"), r"key \('p_/q', 'y'\) of .* lies in a folder .* 'p_/q_'"),
        pytest.param("{:d}", 10**5000, r"field 1 .* cannot write", id="huge"),
        ("{:f}", 0.1234567, r"field 1 .* writes 0.1234567 as '0.123457', which does not come back"),
        ("{rate:g}", 1 / 3, r"field 'rate' .* writes 0.333.* as '0.333333', which does not come back"),
        ("{rate:g}", 1, r"field 'rate' .* takes float, got int"),
        ("{rate}", 0.5, r"takes str, got float: 0.5; for float write {rate:g}"),
        ("{}", 1, r"takes str, got int: 1; for int write {:d}"),
        ("{:f}", math.nan, r"does not come back"),
        ("{:g}", math.inf, r"does not come back"),
        ("{:f}", math.inf, r"does not come back"),
        ("{:f}", -0.0, r"does not come back"),
        (r"{year:d:\d{4}}", 24, r"field 'year' .* takes what matches .* got '24'"),
        (r"{sha::[0-9a-f]+}", "XYZ", r"field 'sha' .* takes what matches '\[0-9a-f\]\+', got 'XYZ'"),
        ("{a}_{b}", ("x", "y_z"), r"field 'b' .* is separated by '_', so 'y_z'"),
        ("{a}__{b}", ("x_", "y"), r"field 'a' .* is separated by '__'"),
        (r"{a::\w+}_{b::\w+}", ("x", "y_z"), r"makes the name 'x_y_z', which is read as \('x_y', 'z'\)"),
        ("{a::.+}/{b}/{c::.+}", ("x", "y", "z/u"), r"is read as \('x/y', 'z', 'u'\)"),
        ("{a::x+}xx{b::x+}", ("x", "xx"), r"is read as \('xx', 'x'\)"),
        ("{a::-+}--{b::-+}", ("-", "--"), r"is read as"),
        ("x{a::^y}", "y", r"makes the name 'xy', which does not fit"),
        ("{day:%Y-%m}", dt.date(2024, 2, 3), r"field 'day' .* as '2024-02', which does not come back"),
        ("{day:%Y-%m-%d}", dt.datetime(2024, 2, 3), r"field 'day' .* takes date, got datetime"),  # noqa: DTZ001
        ("{day:%Y-%m-%d}", "2024-02-03", r"field 'day' .* takes date, got str"),
        ("{day:%Y-%m-%d}", dt.date(999, 2, 3), r"does not come back"),
        ("{t:%H%M}", dt.time(1, 2, 3), r"does not come back"),
        ("{v:06.2f}", 3.125, r"does not come back"),
    ],
)
def test_refused_keys_say_which_field_and_why(text, key, why):
    with pytest.raises(InvalidKeyError, match=why):
        Template(text).encode(key)
    assert key not in Store({}, keys=text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{a}{b}", "nothing separates field 'a'"),
        ("{:d}{:d}", "nothing separates field 1"),
        ("{a:g}-{b:d}", "ambiguous: field 1 may contain '-'"),
        ("{a:f}.{b:f}", "ambiguous: field 1 may contain '.', field 2 may contain '.'"),
        ("{a:d}0{b:x}", "ambiguous"),
        ("{a", "'{' at 0 that is not closed"),
        ("{a::[0-9]{4}", "not closed"),
        ("a}", "single '}' at 1"),
        ("", "no field"),
        ("plain.txt", "no field"),
        ("{{}}", "no field"),
        ("{0}", "no identifier"),
        ("{a.b}", "no identifier"),
        ("{a!r}", "no identifier"),
        ("{a:>9}", "has format '>9'"),
        ("{a:4d}", "has format '4d'"),
        ("{a:+d}", "has format"),
        ("{a:e}", "has format"),
        ("{a}/{a}", "a field twice"),
        ("../{}", "cannot name a file"),
        ("a/./{}", "cannot name a file"),
        ("a\0{}", "cannot name a file"),
        ("{a::(}", "no regular expression"),
        (r"{a::(x)\1}", "field 'a' .* by its number.*name the group"),
        ("{a::(?i)x}", "no regular expression of a part of a name: global flags"),
        ("{a::(?P<_0>x)}", "no regular expression: redefinition"),
        ("{a:%Y%q}", "has format '%Y%q'"),
        ("{a:%%}", "has format '%%'"),
        ("{a:%b}", "has format '%b'"),
        ("{a:6.2f}", "has format '6.2f'"),
    ],
)
def test_refused_templates(text, why):
    with pytest.raises(InvalidArgumentError, match=why):
        Template(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("{a}/{b}", "value"),
        ("{}/{b}", "dict"),
        ("{}", "namedtuple"),
        ("{class}", "namedtuple"),
        ("{a}", "list"),
    ],
)
def test_refused_forms_of_keys(text, keys):
    with pytest.raises(InvalidArgumentError):
        Template(text, keys=keys)
    with pytest.raises(InvalidArgumentError):
        Template(text, keys=1)


def test_text_is_free_where_nothing_is_ambiguous():
    """Fields of text are kept free of separators only where names would be read in two ways."""
    free = Template("{a}_{b}/{c}_{d:d}")
    assert free.decode("x_y/u_v_w_1") == ("x", "y", "u_v_w", 1)
    assert free.decode("x_y_z/u_1") is NOT_MINE
    assert Template("{year:d}/{path}.txt").decode("2024/a/b.txt") == (2024, "a/b")


# ---------------------------------------------------------------------- forms of keys


FORMS = {
    "tuple": ("fr", "paris", 2024),
    "dict": {"country": "fr", "city": "paris", "year": 2024},
    "namedtuple": Template(CITIES).to_namedtuple(("fr", "paris", 2024)),
    "str": "fr/paris_2024.json",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    template = Template(CITIES, keys=form)
    key = FORMS[form]
    assert template.encode(key) == "fr/paris_2024.json"
    back = template.decode("fr/paris_2024.json")
    assert (type(back), back) == (type(key), key)
    for other, same in FORMS.items():
        assert template.to_str(same) == "fr/paris_2024.json"
        converted = getattr(template, f"to_{other}")(key)
        assert (type(converted), converted) == (type(same), same)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "key",
    [
        *(1, None, (), ("fr", "paris"), ("fr", "paris", "2024"), {}, {"country": "fr", "city": "paris"}),
        *(
            {**FORMS["dict"], "more": 1},
            {**FORMS["dict"], "year": "2024"},
            "fr/paris.json",
            "../x_1.json",
            ["fr"],
        ),
    ],
)
def test_what_fits_no_form(form, key):
    template = Template(CITIES, keys=form)
    for refuses in (
        template.encode,
        template.to_str,
        template.to_tuple,
        template.to_dict,
        template.to_namedtuple,
    ):
        with pytest.raises(InvalidKeyError) as caught:
            refuses(key)
        assert len(str(caught.value)) < 400


def test_a_dict_names_what_is_missing_and_what_is_unknown():
    with pytest.raises(InvalidKeyError, match="missing: 'year'; unknown: 'month'"):
        Template(CITIES, keys="dict").encode({"country": "fr", "city": "paris", "month": 1})


def test_the_fields_of_a_namedtuple_are_attributes_and_travel():
    key = Template(CITIES, keys="namedtuple").decode("fr/paris_2024.json")
    assert (key.country, key.city, key.year) == ("fr", "paris", 2024)
    assert repr(key) == "Key(country='fr', city='paris', year=2024)"
    for twin in (pickle.loads(pickle.dumps(key)), copy.deepcopy(key), key._replace(year=2024)):
        assert type(twin) is type(key)
        assert twin == key


def test_a_namedtuple_travels_to_another_process():
    data = pickle.dumps(FORMS["namedtuple"])
    code = f"import pickle; print(pickle.loads({data!r}).city)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "paris\n"


def test_fields_without_a_name_have_no_dict():
    for convert in (Template("{}/{}").to_dict, Template("{}/{}").to_namedtuple):
        with pytest.raises(UnsupportedError, match="name them all"):
            convert(("a", "b"))
    with pytest.raises(UnsupportedError, match="namedtuple"):
        Template("{class}/{}x".replace("{}", "{def}")).to_namedtuple(("a", "b"))


def test_a_single_field_may_be_any_form():
    assert Template("{n:d}.txt").decode("7.txt") == 7
    assert Template("{n:d}.txt", keys="tuple").decode("7.txt") == (7,)
    assert Template("{n:d}.txt", keys="dict").decode("7.txt") == {"n": 7}
    assert Template("{n}.txt", keys="str").decode("7.txt") == "7.txt"
    assert Template("{n:d}.txt").to_dict(7) == {"n": 7}
    assert Template("{n:d}.txt").to_str({"n": 7}) == "7.txt"


def test_subclasses_of_str_become_plain_text():
    class Loud(str):
        __slots__ = ()

        def __str__(self):
            return "LOUD"

    assert Template("{a}/{b}").encode((Loud("x"), "y")) == "x/y"
    assert Template("{a}/{b}", keys="str").encode(Loud("x/y")) == "x/y"


# ---------------------------------------------------------------------- values


VALUES = {
    "Template('{}.wav')": Template("{}.wav", keys="value"),
    "Template('{a}/{b:d}')": Template("{a}/{b:d}", keys="tuple"),
    "Template('{a}/{b:d}', keys='dict')": Template("{a}/{b:d}", keys="dict"),
    "Template('{a}/{b:02d}')": Template("{a}/{b:02d}"),
    "Template('{a}') | PathKeys(suffix='.x')": Template("{a}") | PathKeys(suffix=".x"),
}


@pytest.mark.parametrize("shown", VALUES)
def test_templates_are_values(shown):
    template = VALUES[shown]
    assert repr(template) == shown
    for twin in (pickle.loads(pickle.dumps(template)), copy.copy(template), copy.deepcopy(template)):
        assert twin == template
        assert hash(twin) == hash(template)
        assert repr(twin) == shown
    assert [other for other in VALUES.values() if other == template] == [template]
    with pytest.raises(AttributeError, match="frozen"):
        VALUES["Template('{}.wav')"].text = "x"


def test_a_template_in_a_chain():
    codec = Template("{a}/{b}") | PathKeys(suffix=".json")
    assert codec.encode(("what?", "x:y")) == "what%3F/x%3Ay.json"
    assert codec.decode("what%3F/x%3Ay.json") == ("what?", "x:y")
    assert codec.id_prefix(("what?",)) == "what%3F/"
    assert (Template("{a}/{b}") | Prefix("run-")).id_prefix(("x",)) == "run-x/"
    assert (Template("{a}-{b}") | Prefix("run-")).id_prefix(("x",)) == ""
    assert (AnyKeys() | PathKeys(suffix=".x")).id_prefix("a/b") == "a/b/"
    assert (Template("{}.txt") | Suffix(".gz")).decode("a.txt.gz") == "a"


# ---------------------------------------------------------------------- below a prefix


def test_id_prefix():
    template = Template("data/{country}/{city}_{year:d}.json")
    assert template.id_prefix(()) == "data/"
    assert template.id_prefix(("fr",)) == "data/fr/"
    assert template.id_prefix(("fr", "paris")) == "data/fr/paris_"
    assert (
        Template(template.text, keys="dict").id_prefix({"city": "paris", "country": "fr"}) == "data/fr/paris_"
    )
    assert Template(template.text, keys="dict").id_prefix({"city": "paris"}) == "data/"
    assert Template("data/{}.txt").id_prefix("a/b") == "data/a/b/"
    assert Template(template.text, keys="str").id_prefix("data/fr") == "data/fr/"
    for bad in ("fr", ("f/r",), (1,), {"country": "fr"}):
        with pytest.raises(InvalidKeyError):
            template.id_prefix(bad)
    for bad in (("fr",), {"town": "x"}, "fr"):
        with pytest.raises(InvalidKeyError):
            Template(template.text, keys="dict").id_prefix(bad)
    with pytest.raises(InvalidKeyError):
        Template("{}").id_prefix(("a",))


def test_a_sub_store_lists_only_what_it_must(tmp_path):
    store = FileDirStore(tmp_path / "s", serializer="json", keys=CITIES)
    for country in ("fr", "de"):
        for year in (1, 2):
            store[country, "x", year] = year
    asked = []
    persister = store.pipeline.persister
    pages = type(persister).pages
    persister.pages = lambda prefix="": asked.append(prefix) or pages(persister, prefix)
    view = store.get_subdict(("fr",))
    assert sorted(view) == [("x", 1), ("x", 2)]
    assert set(asked) == {"fr/"}


# ---------------------------------------------------------------------- in a folder


def test_foreign_files_are_listed_under_natural_names(tmp_path):
    for name in (
        "kick_1.wav",
        "snare_12.wav",
        "a b_3.wav",
        "é_4.wav",
        "sub/hat_5.wav",
        "notes.txt",
        "kick_x.wav",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    waves = FileDirStore(tmp_path, serializer="bytes", keys="{}.wav")
    assert sorted(waves) == ["a b_3", "kick_1", "kick_x", "snare_12", "sub/hat_5", "é_4"]
    assert waves["sub/hat_5"] == b"sub/hat_5.wav"
    assert len(waves) == 6
    takes = FileDirStore(tmp_path, serializer="bytes", keys="{:s}_{:d}.wav")
    assert sorted(takes) == [("a b", 3), ("kick", 1), ("snare", 12), ("sub/hat", 5), ("é", 4)]
    assert takes["snare", 12] == b"snare_12.wav"
    with pytest.raises(InvalidKeyError, match="field 2"):
        takes["snare", "12"] = b""
    with pytest.raises(InvalidKeyError):
        takes["snare.txt"] = b""
    whole = FileDirStore(tmp_path, serializer="bytes", keys=Template("{:s}_{:d}.wav", keys="str"))
    assert "sub/hat_5.wav" in whole
    assert "kick_x.wav" not in whole
    with pytest.raises(InvalidKeyError, match=r"field 2 .* cannot be 'x'"):
        whole["kick_x.wav"] = b""
    assert (tmp_path / "kick_x.wav").read_bytes() == b"kick_x.wav"


def test_a_folder_named_like_a_pattern_is_listed(tmp_path):
    store = FileDirStore(tmp_path / "a[1]{}*", serializer="json", keys="x[0]/{}*.json")
    store["k"] = 1
    assert list(store) == ["k"]
    assert os.listdir(tmp_path / "a[1]{}*" / "x[0]") == ["k*.json"]


def test_other_types_and_other_cases_by_composition(tmp_path):
    dated = as_key_codec((dt.date.isoformat, dt.date.fromisoformat)) | Template("{}.csv")
    store = FileDirStore(tmp_path / "s", serializer="json", keys=dated)
    store[dt.date(2024, 2, 29)] = 1
    (tmp_path / "s" / "2024-02-30.csv").touch()
    assert list(store) == [dt.date(2024, 2, 29)]
    folded = Template("{a}_{b}.txt") | PathKeys(fold_case=True)
    names = {folded.encode((a, "x")).lower() for a in ("readme", "README", "Readme", "\u0130", "i\u0307")}
    assert len(names) == 5


def test_functions_can_be_cached_in_fields():
    """Caches make keys that are tuples of a kind of their own."""

    class Hashed(tuple):
        __slots__ = ()

    store = Store({}, keys="{}/{:d}")
    store[Hashed(("f", 1))] = "result"
    assert store[Hashed(("f", 1))] == store["f", 1] == "result"


def test_names_that_the_file_system_cannot_take(tmp_path):
    store = FileDirStore(tmp_path / "s", serializer="json", keys="{}.json")
    for key in ("x" * 300, "../x", "/x", "a/..", "\0", "\ud800", "", ".hidden", ".holdall/x", "é" * 130):
        with pytest.raises(InvalidKeyError) as caught:
            store[key] = 1
        assert len(str(caught.value)) < 500
        assert key not in store
        assert store.get(key, 0) == 0
        assert not store.discard(key)
    assert list(store) == []
    store["x" * 250] = 1
    assert list(store) == ["x" * 250]


def test_a_folder_remembers_its_template(tmp_path):
    FileDirStore(tmp_path / "s", keys=CITIES)["fr", "paris", 1] = 1
    assert FileDirStore(tmp_path / "s", keys=Template(CITIES))["fr", "paris", 1] == 1
    with pytest.raises(MismatchError, match="Template"):
        FileDirStore(tmp_path / "s", keys="{}.json")
    with pytest.raises(InvalidArgumentError, match="not both"):
        FileDirStore(tmp_path / "s", keys="{}.json", suffix=".json")


def test_stores_travel_with_their_template(tmp_path):
    store = FileDirStore(tmp_path / "s", keys=CITIES)
    store["fr", "paris", 1] = 1
    assert list(pickle.loads(pickle.dumps(store))) == [("fr", "paris", 1)]


def test_text_means_a_template_in_any_store():
    assert list(Store({"a.txt": 1, "b.png": 2}, keys="{}.txt")) == ["a"]
    store = MemoryStore()
    mapped = Store(store, keys="/ROOT/{}")
    mapped["foo"] = "bar"
    assert dict(store) == {"/ROOT/foo": "bar"}


# ---------------------------------------------------------------------- dicts as keys


@pytest.fixture(params=["folder", "memory"])
def by_dict(request, tmp_path):
    keys = Template(CITIES, keys="dict")
    store = Store({}, keys=keys) if request.param == "memory" else FileDirStore(tmp_path / "s", keys=keys)
    store.update(({"country": c, "city": t, "year": y}, t + str(y)) for c, t, y in ROWS)
    return store


ROWS = [("fr", "paris", 1), ("fr", "paris", 2), ("fr", "nice", 1), ("de", "bonn", 1)]


def by_name(key):
    return sorted(key.items())


def test_dict_keys_read_and_write(by_dict):
    key = {"country": "fr", "city": "paris", "year": 1}
    reordered = dict(sorted(key.items()))
    assert by_dict[key] == by_dict[reordered] == "paris1"
    assert key in by_dict
    assert reordered in by_dict.keys()  # noqa: SIM118
    assert (key, "paris1") in by_dict.items()
    assert (key, "x") not in by_dict.items()
    assert {"country": "fr"} not in by_dict
    assert by_dict.get({"country": "fr"}, 0) == 0
    assert by_dict.get({}) is None
    assert not by_dict.discard({"country": "fr"})
    absent = {**key, "year": 9}
    with pytest.raises(KeyError) as caught:
        by_dict[absent]
    assert caught.value.args == (absent,)
    assert by_dict.setdefault(absent, "new") == "new"
    assert by_dict.pop(absent) == "new"
    assert by_dict.pop(absent, None) is None
    assert by_dict.transform_item(key, transformer=str.upper).new_value == "PARIS1"
    assert by_dict.etag(key)
    del by_dict[key]
    assert len(by_dict) == 3


def test_dict_keys_are_listed_as_dicts(by_dict):
    keys = sorted(by_dict, key=by_name)
    assert keys == sorted(({"country": c, "city": t, "year": y} for c, t, y in ROWS), key=by_name)
    assert sorted(by_dict.keys(), key=by_name) == keys
    assert [key for key, _ in sorted(by_dict.items(), key=lambda item: by_name(item[0]))] == keys
    assert sorted(by_dict.values()) == ["bonn1", "nice1", "paris1", "paris2"]
    assert by_dict == by_dict.get_subdict({})
    assert sorted(by_dict.oldest_keys(), key=by_name) == keys
    assert by_dict.random_key() in keys
    assert by_dict.head()[0] in keys
    key, value = by_dict.popitem()
    assert key not in by_dict
    assert value not in list(by_dict.values())
    assert "paris" in by_dict._repr_html_()
    other = Store({}, keys=Template(CITIES, keys="dict"))
    assert by_dict.copy_to(other) == 3
    assert by_dict == other


def test_dict_keys_have_sub_stores(by_dict):
    paris = by_dict.get_subdict({"city": "paris", "country": "fr"})
    assert sorted(paris, key=by_name) == [{"year": 1}, {"year": 2}]
    assert paris[{"year": 2}] == "paris2"
    paris[{"year": 3}] = "paris3"
    assert by_dict[{"country": "fr", "city": "paris", "year": 3}] == "paris3"
    first = by_dict.get_subdict({"year": 1})
    assert sorted(key["city"] for key in first) == ["bonn", "nice", "paris"]
    assert first.get_subdict({"country": "fr"})[{"city": "nice"}] == "nice1"
    assert {"year": 1, "city": "nice", "country": "fr"} not in first
    assert sorted(by_dict.subdicts()) == ["de", "fr"]
    assert len(by_dict.subdicts()["fr"]) == 4
    for bad in ({}, {"country": "de"}, "x", ("fr",)):
        with pytest.raises(InvalidKeyError):
            paris[bad]
    with pytest.raises(InvalidKeyError):
        by_dict.get_subdict({"town": "x"})
    paris.clear(force=True)
    assert len(by_dict) == 2


# ---------------------------------------------------------------------- hostile names


def test_names_are_as_long_as_paths_at_the_most():
    """What a regex of `re` costs may grow with the name; who plants a file must not choose how long."""
    for text, fits in (("{x::(?:ab?)+}.t", "a" * 4094), ("{x}.t", "a" * 4094)):
        template = Template(text)
        assert template.decode(template.encode(fits)) == fits
        assert template.decode(fits + "a.t") is NOT_MINE
        with pytest.raises(InvalidKeyError, match="a name of 4,097 characters: names have 4,096 at the most"):
            template.encode(fits + "a")


def test_names_in_many_folders_are_read_once_for_each_folder():
    """What one folder costs must not grow with the folders above it: that made 2**n readings of n folders."""
    template = Template("{x::b.*}a")
    assert template.decode("ca/" * 300 + "ca") is NOT_MINE


def test_many_fields_and_long_names_take_linear_time():
    template = Template("_".join(f"{{f{n}}}" for n in range(30)))
    for name in ("_" * 20_000, "x_" * 20_000, "x" * 20_000):
        assert template.decode(name) is NOT_MINE
