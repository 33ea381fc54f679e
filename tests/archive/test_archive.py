"""The interface of archives: names, options, hooks, and what is refused."""

import os
import pickle
import subprocess
import sys
import types
import warnings

import pytest

from archive import cases, things
from exploring import in_soak
from holdall import Archive
from holdall.archive import Archivable, Container, load, loads
from holdall.errors import InvalidArgumentError, SerializationError


def rebuilt(text, **names):
    values = dict(names)
    exec(text, values)
    return values


def archived(value, **options):
    archive = Archive(**options)
    archive.insert(value=value)
    return rebuilt(str(archive))["value"]


# ------------------------------------------------------------------ names


def test_names_that_python_or_the_text_need_themselves():
    names = {
        "list": [1],
        "dict": {},
        "float": 1.5,
        "complex": 1j,
        "json": 2,
        "sys": 3,
        "set": {4},
        "match": 5,
        "case": 6,
        "type": 7,
        "object": things.Plain(a=float("inf")),
        "range": range(3),
        "frozenset": frozenset({1}),
        "globals": 8,
        "setattr": things.Slots(1),
        "date": 9,
        "enumerate": [2.5],
        "numbers": list(range(3000)),
        "Plain": things.Plain,
        "hasattr": [10**5000],
        "int": [10**5000, complex(1, -0.0)],
        "zip": {i: (i,) for i in range(3000)},
        "BaseException": ValueError(1),
    }
    for scoped in (True, False):
        archive = Archive(scoped=scoped)
        archive.insert(**names)
        values = rebuilt(str(archive))
        assert sorted(values) == sorted(names)
        for name in set(names) - {"object", "setattr", "BaseException"}:
            assert values[name] == names[name]
            assert type(values[name]) is type(names[name])
        assert values["object"].a == float("inf")
        assert values["setattr"] == things.Slots(1)


def test_classes_with_names_that_the_text_needs(monkeypatch):
    """As the text names builtins, helpers, its dict of arrays and imports of its own."""
    names = (
        "int float complex set frozenset list dict getattr json b64decode _arrays _table _scope _g0 _object"
    )
    values = [
        10**5000,
        float("nan"),
        complex(-0.0, 1),
        set(),
        frozenset({1}),
        [].append,
        "x" * 3000,
        b"y" * 3000,
    ]
    for name in names.split():
        monkeypatch.setattr(things, name, type(name, (), {"__module__": "archive.things"}), raising=False)
        values.append(getattr(things, name)())
    for scoped in (True, False):
        for order in (values, values[::-1]):
            again = archived(order, scoped=scoped)
            assert [type(value) for value in again] == [type(value) for value in order]
    pytest.importorskip("numpy")
    archive = Archive(array_threshold=5)
    archive.insert(value=[*values, cases.ARRAYS["nested_arrays"]()["x"]])
    text = str(archive)
    assert type(rebuilt(text, _arrays=archive.data)["value"][18]) is things._arrays


@pytest.mark.parametrize("name", ["class", "_scope", "__builtins__", "\u017f", "a b", ""])
def test_names_of_the_text_itself(name):
    with pytest.raises(InvalidArgumentError):
        Archive(data_name=name)
    with pytest.raises(InvalidArgumentError):
        Archive().save("nowhere", "m", arrays_name=name)


def test_a_value_may_be_called_self():
    archive = Archive()
    archive.insert(self=1, objects=2)
    assert rebuilt(str(archive)) == {"self": 1, "objects": 2}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("class", "keyword"),
        ("None", "keyword"),
        ("a b", "identifier"),
        ("", "identifier"),
        ("__debug__", "meaning"),
        ("\u017f", "'s'"),
        ("_x", "allowed_names"),
        ("__all__", "meaning"),
        ("_fill", "meaning"),
        ("_arrays", "meaning|arrays"),
    ],
)
def test_names_that_cannot_be_used(name, told):
    with pytest.raises(InvalidArgumentError, match=told):
        Archive().insert(**{name: 1})


def test_private_names_by_permission():
    archive = Archive(allowed_names=["_x"])
    archive.insert(_x=1)
    archive.allowed_names.append("_g0")
    archive.insert(_g0=2, pair=[shared := [1], shared])
    values = rebuilt(str(archive))
    assert values == {"_x": 1, "_g0": 2, "pair": [[1], [1]]}


def test_objects_need_a_name_and_names_one_object():
    archive = Archive()
    with pytest.raises(ValueError, match=r"Insert objects with a key: insert\(x=3\), not insert\(7\)"):
        archive.insert(7)
    for positional, text in ((Persistent(1), "<Persistent object>"), ([1] * 99, "[1, 1,")):
        with pytest.raises(InvalidArgumentError) as caught:
            archive.insert(positional)
        assert f"not insert({text}" in str(caught.value)
    value = [1]
    archive.insert(x=value, env={})
    archive.insert(x=value)
    with pytest.raises(InvalidArgumentError, match="another object by the name 'x'"):
        archive.insert(x=[1])
    with pytest.raises(InvalidArgumentError, match="env"):
        archive.insert(env=3)
    archive.insert(a=2, b=value)
    assert archive.names() == ["x", "a", "b"]
    values = rebuilt(str(archive))
    assert values["b"] is values["x"]


def test_objects_are_kept_by_reference():
    value = [1]
    archive = Archive()
    archive.insert(x=value)
    value.append(2)
    assert rebuilt(str(archive))["x"] == [1, 2]


def test_an_empty_archive_is_the_cleaning_up():
    assert str(Archive()) == "try: del __builtins__, _arrays\nexcept NameError: pass"
    assert rebuilt(str(Archive())) == {}


def test_single_items():
    archive = Archive(single_item_mode=True)
    with pytest.raises(InvalidArgumentError, match="Can't insert 2 items when single_item_mode=True"):
        archive.insert(x=1, y=2)
    x = [1]
    archive.insert(x=x)
    archive.insert(x=x)
    with pytest.raises(
        InvalidArgumentError, match="Can't insert 'y' into single_item_mode=True archive with 'x'"
    ):
        archive.insert(y=2)


def test_options_of_persist_are_taken():
    archive = Archive(flat=True, tostring=True, robust_replace=False, gname_prefix="_n")
    archive.insert(x=[shared := [1], shared])
    assert "_n0 = [1]" in str(archive)
    with pytest.raises(InvalidArgumentError, match="no identifier"):
        Archive(gname_prefix="a-b")
    with pytest.raises(ValueError, match="Expected data_format in"):
        Archive(data_format="???")


def test_str_and_repr_agree_and_are_the_same_each_time():
    archive = Archive()
    archive.insert(x=[things.Plain(a=1)] * 2, y={1, "a", (2,)})
    text = str(archive)
    assert text == repr(archive)
    assert text == str(archive)


def gapped_dtypes():
    """Return dtypes of which some bytes are no part of a value."""
    np = pytest.importorskip("numpy")
    point = np.dtype([("x", "i1"), ("y", "i4")], align=True)
    twins = {"names": ["a", "b"], "formats": ["u4", "u4"], "offsets": [0, 0], "itemsize": 8}
    foreign = np.dtype("G").newbyteorder()
    return {
        "aligned": np.dtype([("a", "i1"), ("b", "f8"), ("c", point, (2,)), ("d", "g")], align=True),
        "overlapping": np.dtype(twins),
        "first": np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [3], "itemsize": 8}),
        "long": np.dtype("g"),
        "foreign": foreign,
        "foreign parts": np.dtype([("a", "i1"), ("d", foreign, (2,))]),
    }


def with_gaps(dtype, fill):
    """Return an array of three axes, with thirds as its numbers and `fill` in the gaps."""
    np = pytest.importorskip("numpy")

    def assign(part):
        for name in part.dtype.names or ():
            assign(part[name])
        if not part.dtype.names:
            part[...] = 2 / np.longdouble(3) * 100

    array = np.empty((2, 3, 4), dtype)
    array.reshape(-1).view(np.uint8)[:] = fill
    assign(array)
    return array


@pytest.mark.parametrize("threshold", [0, float("inf")])
@pytest.mark.parametrize("kind", ["aligned", "overlapping", "first", "long", "foreign", "foreign parts"])
def test_what_lies_between_fields_is_not_archived(tmp_path, kind, threshold):
    def saved(fill):
        array, parts = with_gaps(gapped_dtypes()[kind], fill), with_gaps(gapped_dtypes()[kind], fill)
        archive = Archive(array_threshold=threshold)
        archive.insert(rows=array, columns=array.T, other=array.transpose(0, 2, 1), scalar=array[0, 0, 0])
        archive.insert(apart=with_gaps(gapped_dtypes()[kind], fill).transpose(0, 2, 1))
        archive.insert(first=parts[:1], second=parts[1:])
        path = archive.save(tmp_path / str(fill), "m", package=True)
        files = sorted(path for path in (tmp_path / str(fill)).rglob("*") if path.is_file())
        return [path.read_bytes() for path in files], load(path), array

    files, values, array = saved(0)
    assert files == saved(255)[0]
    assert values["rows"].dtype == array.dtype
    assert (values["rows"] == array).all()
    assert (values["apart"] == array.transpose(0, 2, 1)).all()
    assert values["scalar"] == array[0, 0, 0]


@pytest.mark.parametrize("scoped", ["True", *in_soak("False")])
def test_the_text_is_the_same_for_any_seed_of_hashes(scoped):
    code = (
        "from holdall import Archive\nfrom archive import things, cases\n"
        f"archive = Archive(scoped={scoped})\n"
        "archive.insert(a={'x', 'y', 'z', b'x', ('p', 'q'), None, things.Colour.RED, things.Colour.GREEN},"
        " b=frozenset({frozenset({'x', 'y'}), frozenset({'z'})}),"
        " c={things.Frozen('x', ('y',)), things.Frozen('z')}, d=cases.cycles_of_hashes(),"
        " e=cases.big_mixture(),"
        " f={things.Plain: {'x', 'y'}, 'k': {('a', 'b'): {'c', 'd'}}})\n"
        "print(str(archive))"
    )
    from pathlib import Path

    env = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": ""}
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(texts) == 1


# ------------------------------------------------------------------ arrays that are not in the text


def test_arrays_beside_the_text():
    np = pytest.importorskip("numpy")
    archive = Archive(array_threshold=5)
    archive.data["array_0"] = taken = np.ones(1)
    x = np.arange(6)
    archive.insert(x=x, small=np.arange(5))
    assert "x = _arrays['array_1']\n" in str(archive)
    text = str(archive)
    assert text == str(archive)
    assert list(archive.data) == ["array_0", "array_1"]
    assert archive.data["array_0"] is taken
    only = Archive(array_threshold=5)
    only.data["array_0"] = taken
    only.insert(x=x)
    assert str(only) == "x = _arrays['array_1']\ntry: del __builtins__, _arrays\nexcept NameError: pass"


def test_another_name_for_the_dict_of_arrays(tmp_path):
    np = pytest.importorskip("numpy")
    archive = Archive(array_threshold=5, data_name="_big")
    archive.insert(x=np.arange(6))
    assert rebuilt(str(archive), _big=archive.data).keys() == {"x"}
    archive.save(tmp_path, "m", arrays_name="_files")
    assert (tmp_path / "m" / "_files" / "array_0.npy").exists()
    assert archive.data_name == "_big"


@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
def test_saved_data_and_what_loads_them(tmp_path, data_format):
    np = pytest.importorskip("numpy")
    archive = Archive(array_threshold=5, data_format=data_format)
    archive.insert(x=np.arange(6), y=[np.ones((2, 5))])
    text = str(archive)
    loader, files = archive.save_data(datafile=tmp_path / "arrays")
    for path in files:
        assert tmp_path.joinpath(path).exists()
    values = rebuilt(loader + text)
    assert np.array_equal(values["x"], np.arange(6))
    assert sorted(values) == ["x", "y"]
    archive.save_data(filename=tmp_path / "arrays")


@pytest.mark.parametrize("data_format", ["npy", "npz", "hdf5"])
def test_saved_data_of_any_dtype(tmp_path, data_format):
    np = pytest.importorskip("numpy")
    if data_format == "hdf5":
        pytest.importorskip("h5py")
    arrays = {
        "dates": np.array(["2020", "NaT"], "M8[s]"),
        "text": np.array(["a", "bc"]),
        "records": np.zeros(2, [("a", "M8[s]"), ("b", "U2")]),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "no_axes": np.array(5.5),
        "fields": np.ones(2, [(f"field{number}", "f4") for number in range(2000)]),
    }
    archive = Archive(array_threshold=0, data_format=data_format)
    archive.insert(**arrays)
    text = str(archive)
    loader, _ = archive.save_data(tmp_path / "arrays")
    back = rebuilt(loader + text)
    for name, array in arrays.items():
        assert type(back[name]) is np.ndarray, name
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape), name
        assert back[name].tobytes() == array.tobytes(), name
        assert back[name].flags.f_contiguous == array.flags.f_contiguous, name


def test_data_that_another_format_does_not_keep_are_refused(tmp_path):
    np = pytest.importorskip("numpy")
    pytest.importorskip("h5py")
    archive = Archive(array_threshold=0)
    archive.insert(dates=np.array(["2020"], "M8[s]"))
    with pytest.raises(SerializationError, match=r"'array_0' of dtype datetime64\[s\]"):
        archive.save_data(tmp_path / "arrays", data_format="hdf5")
    assert list(tmp_path.iterdir()) == []


def test_saved_data_replace_only_what_save_data_wrote(tmp_path):
    np = pytest.importorskip("numpy")
    archive = Archive(array_threshold=5)
    archive.insert(x=np.arange(10))
    str(archive)
    archive.data["mine"] = np.arange(3)
    folder, other = tmp_path / "folder", tmp_path / "notes.txt"
    folder.mkdir()
    for name in ("notes.txt", "x.npy"):
        folder.joinpath(name).write_text("kept")
        for data_format in ("npy", "npz"):
            path = folder if data_format == "npy" else folder.rename(f"{folder}.npz")
            with pytest.raises(InvalidArgumentError, match="exists, and is not what save_data wrote"):
                archive.save_data(datafile=path, data_format=data_format)
            path.rename(folder)
        assert [path.read_text() for path in folder.iterdir()] == ["kept"]
        folder.joinpath(name).unlink()
    other.write_text("kept")
    with pytest.raises(InvalidArgumentError, match="is not what save_data wrote"):
        archive.save_data(datafile=other)
    assert other.read_text() == "kept"
    for _ in range(2):
        _, files = archive.save_data(datafile=folder)
        assert sorted(map(os.path.basename, files)) == ["array_0.npy", "mine.npy"]
        archive.save_data(datafile=tmp_path / "data.npz", data_format="npz")


def test_data_without_a_file_warn_each_time():
    np = pytest.importorskip("numpy")
    archive = Archive(array_threshold=5)
    assert archive.save_data("nowhere") == (None, [])
    archive.insert(x=np.arange(6))
    for _ in range(2):
        with pytest.warns(
            UserWarning, match=r"^Data arrays \['array_0'\] exist but no datafile specified. Save"
        ) as told:
            assert archive.save_data() == (None, [])
        assert len(told) == 1


# ------------------------------------------------------------------ hooks


class Persistent:
    """Says itself how it is archived; nobody may ask for its text."""

    def __init__(self, x, y=None):
        self.x, self.y = x, y

    def get_persistent_rep(self, env):
        module = type(self).__module__
        return "C(x=x, y=y)", {"x": self.x, "y": self.y}, [(module, type(self).__name__, "C")]

    def __repr__(self):
        raise AssertionError("asked for its text")

    __str__ = __repr__


@pytest.fixture
def hooked(monkeypatch):
    """A module with classes that have hooks."""
    module = types.ModuleType("hooked")

    class WithEnv(Persistent):
        def get_persistent_rep(self, env):
            return "C(a + x)", {"x": self.x, "a": env["a"]}, [("hooked", "WithEnv", "C")]

    class Older:
        def archive_1(self, env):
            return "C()", {}, [("hooked", "Older", "C")]

    class WithoutEnv:
        def get_persistent_rep(self):
            raise AssertionError("called without env")

    class Failing:
        def get_persistent_rep(self, env):
            raise KeyError("its own error")

    for cls in (Persistent, WithEnv, Older, WithoutEnv, Failing):
        monkeypatch.setattr(cls, "__module__", "hooked")
        cls.__qualname__ = cls.__name__
        setattr(module, cls.__name__, cls)
    monkeypatch.setitem(sys.modules, "hooked", module)
    return module


@pytest.mark.parametrize("scoped", [True, False])
def test_get_persistent_rep(hooked, scoped):
    shared = [1]
    value = hooked.Persistent(shared, [shared, hooked.Persistent(2)])
    archive = Archive(scoped=scoped)
    archive.insert(value=value, shared=shared)
    text = str(archive)
    assert "Persistent(x=2, y=None)" in text
    values = rebuilt(text)
    assert values["value"].x is values["shared"]
    assert values["value"].y[0] is values["shared"]
    assert values["value"].y[1].x == 2


@pytest.mark.parametrize("number", [1, 1000, *in_soak(4000)])
def test_any_expression_of_a_hook(hooked, number):
    values = [hooked.WithEnv([i]) for i in range(number)]
    archive = Archive()
    archive.insert(values=values, env={"a": [0]})
    again = rebuilt(str(archive))["values"]
    assert [value.x for value in again] == [[0, i] for i in range(number)]


def test_older_and_odd_hooks(hooked):
    with pytest.warns(DeprecationWarning, match="archive_1 is deprecated: use get_persistent_rep"):
        assert type(archived(hooked.Older())) is hooked.Older
    with pytest.warns(UserWarning, match=r"Found get_persistent_rep\(\) but got TypeError"):
        assert type(archived(hooked.WithoutEnv())) is hooked.WithoutEnv


def test_archivable_classes_and_containers():
    shared = [1]
    value = Container(a=shared, b=Container(a=shared), c="x")
    again = archived(value)
    assert again.a is again.b.a
    assert list(again) == ["a", "b", "c"]
    assert repr(again) == "Container(a=[1], b=Container(a=[1]), c='x')"
    assert rebuilt(value.archive("it"))["it"].c == "x"
    assert issubclass(Container, Archivable)


def test_containers_with_any_names():
    names = ["\u017f", "s", "class", "a b", "self", "_2", "Container", "__debug__"]
    value = Container(**{name: [name] for name in names})
    for scoped in (True, False):
        assert vars(archived(value, scoped=scoped)) == vars(value)
    archive = Archive()
    archive.insert(value=value)
    assert vars(loads(str(archive), allow=[Container])["value"]) == vars(value)


def test_errors_of_hooks_reach_the_caller(hooked):
    archive = Archive()
    archive.insert(x=hooked.Failing())
    with pytest.raises(KeyError, match="its own error"):
        str(archive)
    with pytest.raises(KeyError, match="its own error"):
        Archive(check_on_insert=True).insert(x=hooked.Failing())


@pytest.mark.parametrize("rep", [None, ("x",), ("a b", {}, []), (3, {}, [])])
def test_hooks_that_return_nonsense(hooked, rep):
    hooked.Failing.get_persistent_rep = lambda self, env: rep
    with pytest.raises(SerializationError, match=r"cannot archive value\[0\], of type hooked.Failing"):
        archived([hooked.Failing()])


# ------------------------------------------------------------------ what cannot be archived


class Local:
    """Its instances hold what cannot be archived."""


def refusals():
    handle = open(__file__)  # noqa: SIM115
    handle.close()
    inner, local = things.nested()
    holder = things.Plain(handle=handle)
    fake = type("Plain", (), {"__module__": "archive.things"})
    cyclic = things.Plain()
    pair = things.ReduceAll()
    del pair
    return [
        ({"a": [1, 2, 3, holder]}, r"value\['a'\]\[3\].handle, of type _io.TextIOWrapper"),
        (lambda: 1, r"cannot archive value, .* is a lambda"),
        ([inner], r"value\[0\].* defined inside of a function"),
        ({"k": local()}, r"value\['k'\]"),
        ([fake()], r"not the same object"),
        ((x for x in ()), "generator"),
        (types.ModuleType("nowhere"), "no other process can import nowhere"),
        (cyclic.__class__.__dict__["method"].__get__(holder), "handle"),
        ({(1, 2): handle}, r"value\[<tuple>\]"),
        (sys._getframe(), "frame"),
        (memoryview(b"x"), "memoryview"),
        ([things.Refusing(TypeError("not I"))], r"value\[0\], of type archive.things.Refusing: not I"),
        ({"a": things.Refusing(NotImplementedError("yet"))}, r"value\['a'\], .*: yet"),
        ([things.Refusing(pickle.PicklingError("no"))], r"value\[0\], .*: no"),
        ([things.Reduced((5, ()))], r"value\[0\], .* no function with a tuple of arguments"),
        ([things.Reduced((list, [1]))], r"value\[0\], .* no function with a tuple of arguments"),
        ([super(things.List, things.List([1]))], r"value\[0\], of type super: .* another class"),
        ([things.module_by_property()], r"value\[0\]"),
    ]


@pytest.mark.parametrize("index", range(18))
def test_what_cannot_be_archived_is_refused_with_its_path(index):
    value, told = refusals()[index]
    with pytest.raises(SerializationError, match=told):
        archived(value)
    with pytest.raises(SerializationError, match=told.replace("value", "x")):
        Archive(check_on_insert=True).insert(x=value)


def test_classes_of_the_main_module(tmp_path):
    code = (
        "from holdall import Archive\n"
        "class C: pass\n"
        "if __name__ == '__main__':\n"
        "    archive = Archive()\n    archive.insert(c=C())\n"
        "    try: print(archive)\n"
        "    except ValueError as error: print(error)\n"
    )
    (tmp_path / "script.py").write_text(code)

    def run(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    by_file = run("script.py")
    assert "cannot archive c" in by_file
    assert "__main__" in by_file
    by_name = run("-m", "script")
    assert "from script import C" in by_name


def test_a_hash_that_needs_the_set_itself_is_refused():
    value = things.HashedBySet()
    value.peers = {1}
    peers = {value}
    value.peers = peers  # its hash is that of a set of one, as it was
    assert value in peers
    with pytest.raises(
        SerializationError, match=r"cannot archive value.peers: the hash .* depends on the set itself"
    ):
        archived(value)
    with pytest.raises(SerializationError, match=r"value\[0\]\[0\].peers: .* on the set itself"):
        archived([(value, i) for i in range(2_100)])  # in a table
    table = {value: 1}
    value.peers = table
    with pytest.raises(SerializationError, match="depends on the dict itself"):
        archived(value)
    value.peers = frozenset({value})
    with pytest.raises(SerializationError, match=r"cannot archive value"):
        archived(value)
    value.default = True
    with pytest.raises(SerializationError, match=r"value.peers: .* depends on the frozenset itself"):
        archived(value)


class SelfMade:
    def __init__(self, parts):
        self.parts = parts

    def __reduce__(self):
        return SelfMade, (self.parts,)


def test_what_is_needed_to_make_itself_is_refused(monkeypatch):
    monkeypatch.setattr(SelfMade, "__module__", "archive.things")
    monkeypatch.setattr(things, "SelfMade", SelfMade, raising=False)
    parts = ()
    value = SelfMade(parts)
    value.parts = (value,)
    with pytest.raises(SerializationError, match="making it needs the object itself"):
        archived(value)
    value.parts = [value]
    again = archived(value)
    assert again.parts[0] is again


class Unmakeable:
    def __reduce__(self):
        return int, ("no number",)


def test_what_cannot_be_made_again_is_found_out_before(monkeypatch, tmp_path):
    with pytest.raises(SerializationError, match=r"making it again fails with ValueError: invalid literal"):
        archived({"a": [Unmakeable()]})
    archive = Archive()
    archive.insert(x=[shared := Unmakeable(), shared])
    with pytest.raises(SerializationError, match=r"cannot archive x\[0\]"):
        archive.save(tmp_path, "m")
    assert list(tmp_path.iterdir()) == []


def test_errors_in_the_code_of_a_class_are_its_own():
    class Broken:
        def __reduce__(self):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        archived([Broken()])
    assert caught.value.__notes__ == ["while archiving value[0]"]


def test_nothing_is_looked_up_on_unfilled_objects():
    """A proxy that forwards everything would look up what it forwards to, for ever."""
    again = archived([things.Proxy(things.Plain(a=1))])
    assert again[0].a == 1


def test_sentinels_are_named_and_other_globals_copied():
    assert archived(things.NOTHING) is things.NOTHING
    assert archived([things.MISSING])[0] is things.MISSING
    again = archived(things.registry)
    assert again == things.registry
    assert again is not things.registry


def test_no_warning_is_raised():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        archived([things.Colour.RED, things.Plain(a=1), {1: 2}])


def test_the_collector_runs_again_afterwards():
    import gc

    assert gc.isenabled()
    archived([1])
    assert gc.isenabled()
