"""What holds for templates whatever the template, the key and the name."""

import datetime as dt
import itertools

from hypothesis import assume, example, given
from hypothesis import strategies as st

from exploring import examples
from holdall.abc import NOT_MINE
from holdall.errors import InvalidArgumentError, InvalidKeyError
from holdall.keys import Template

LETTERS = "ab_-/.07"
REGEXES = ["[a-z]+", r"\w+", "[^_/]+", "a*b?", "(?:ab|a)+", ".+", r"-?\d{2}", "[-_]", "a_?", "(a+)+b", "_*a"]
short = st.text("a_-", min_size=1, max_size=3) | st.text(LETTERS, max_size=5)

fields = st.one_of(
    st.just(""),
    st.sampled_from(["", "", ":d", ":02d"]),
    st.builds(":{}:{}".format, st.sampled_from(["", "d"]), st.sampled_from(REGEXES)),
    st.sampled_from([":x", ":04x", ":f", ":.2f", ":06.2f", ":03.0f", ":g", ":.9g", ":%Y-%m-%d", ":%H%M"]),
)
literals = st.sampled_from(["_", "-", "/", "_a", "__"]) | st.text(LETTERS, max_size=3)


@st.composite
def templates(draw):
    """Make templates that are not refused, most of them with several fields."""
    parts = draw(st.lists(st.tuples(fields, literals), min_size=1, max_size=4))
    text = draw(literals) + "".join(f"{{f{n}{field}}}{after}" for n, (field, after) in enumerate(parts))
    try:
        return Template(text, keys="tuple")
    except InvalidArgumentError:
        assume(False)


def values_of(template):
    numbers = st.integers(-99, 99) | st.integers()
    decimals = st.integers(-99, 99).map(lambda n: n / 4) | st.floats()
    kinds = {
        str: short | short | st.text(max_size=8),
        int: numbers,
        float: decimals,
        dt.date: st.dates(),
        dt.time: st.times(),
        dt.datetime: st.datetimes(),
    }
    return st.tuples(*(kinds[field.kind] for field in template._layout.fields))


def texts_of(field):
    """Make texts that the field often takes."""
    if field.kind is str:
        return short
    if field.form.spec.startswith("%"):
        return st.sampled_from(["2024-02-29", "2024-02-30", "-2024-2-9", "1200", "2400"])
    return st.integers(-9, 99).map(lambda n: format(field.kind(n), field.form.spec)) | st.text(
        "-07", max_size=3
    )


def typed(key):
    return [(type(part), part) for part in key]


def cuts(template, name):
    """Give every way to cut a name into the fields of a template, without a thought."""
    first, *rest = template._layout.literals
    if not name.startswith(first):
        return

    def after(at, rest):
        if not rest:
            if at == len(name):
                yield ()
            return
        for end in range(at, len(name) + 1):
            if name.startswith(rest[0], end):
                for more in after(end + len(rest[0]), rest[1:]):
                    yield (name[at:end], *more)

    yield from after(len(first), rest)


def readings(template, name):
    """Give all keys that the template names so."""
    for texts in cuts(template, name):
        options = []
        for field, text in zip(template._layout.fields, texts, strict=True):
            if field.form.spec.startswith("%"):
                value = field.form.read(text)
                if value is NOT_MINE:
                    break
                options.append(value)
                continue
            try:
                base = 16 if field.form.spec.endswith("x") else 10
                options.append(int(text, base) if field.kind is int else field.kind(text))
            except (ValueError, OverflowError):
                break
        else:
            try:
                if template.encode(tuple(options)) == name:
                    yield tuple(options)
            except InvalidKeyError:
                continue


many = examples(150)  # keys that several fields take at once are rare


def test_neighbours_of_text_keep_their_separator_free():
    """The random templates meet this; here is the case that all of them come down to."""
    template = Template("{a}_{b}-{c}")
    for values in itertools.product(["x", "x_y", "x-y", "_x", "x_", "-x", "x-", "_", "-"], repeat=3):
        name = "{}_{}-{}".format(*values)
        try:
            assert template.encode(values) == name
        except InvalidKeyError:
            assert template.decode(name) != values
        else:
            assert template.decode(name) == values
            assert list(readings(template, name)) == [values]


@st.composite
def templates_and_keys(draw):
    """Make a template, and a key that it often takes."""
    template = draw(templates())
    return template, draw(values_of(template))


@many
@given(templates_and_keys())
@example((Template("_{f0}_", keys="tuple"), ("0_/0",)))
@example((Template("_{f0}0{f1}a"), ("_", "7a/7")))
@example((Template("{f0::.+}_/{f1::[a-z]}_"), ("p_/q", "y")))
def test_every_accepted_key_comes_back(template_and_key):
    template, key = template_and_key
    try:
        name = template.encode(key)
    except InvalidKeyError:
        return
    back = template.decode(name)
    assert back is not NOT_MINE
    assert typed(back) == typed(key)
    assert list(map(typed, template.decode_many([name, name]))) == [typed(key)] * 2
    for end in range(len(key)):
        assert name.startswith(template.id_prefix(key[:end]))
    assert all(part not in {".", ".."} for part in name.split("/"))


@st.composite
def templates_and_texts(draw):
    """Make a template, and a text for each of its fields."""
    template = draw(templates())
    return template, draw(st.tuples(*map(texts_of, template._layout.fields)))


@many
@given(templates_and_texts())
def test_every_name_has_one_reading_at_the_most(template_and_texts):
    template, texts = template_and_texts
    literals = template._layout.literals
    name = literals[0] + "".join(map("".join, zip(texts, literals[1:], strict=True)))
    found = [typed(key) for key in readings(template, name)]
    key = template.decode(name)
    assert found == ([] if key is NOT_MINE else [typed(key)])


@many
@given(templates(), st.text(LETTERS, max_size=12) | st.text(max_size=12))
def test_what_is_read_is_written_the_same(template, name):
    key = template.decode(name)
    assert key is NOT_MINE or template.encode(key) == name


@given(templates_and_keys())
def test_all_forms_say_the_same(template_and_key):
    template, key = template_and_key
    try:
        name = template.encode(key)
    except InvalidKeyError:
        return
    for form in ("str", "dict", "namedtuple"):
        other = Template(template.text, keys=form)
        same = other.decode(name)
        assert same == getattr(other, f"to_{form}")(key)
        assert other.encode(same) == name
        assert typed(other.to_tuple(same)) == typed(key)
        for convert in (template.to_str, other.to_str):
            assert convert(same) == convert(key) == name
