"""A value in the process that makes it: operators, changes in place, threads, and who else has it."""

import copy
import importlib.util
import math
import operator
import pickle
import sys
import textwrap
import threading
from fractions import Fraction

import pytest

from holdall import (
    DELETE_CURRENT,
    KEEP_CURRENT,
    InvalidArgumentError,
    ScriptStore,
    SerializationError,
    UnsupportedError,
    Value,
)
from holdall._scripts import Origin
from holdall.testing._races import in_threads
from holdall.value import _slot

_numbers = iter(range(10**6))


def value_of(default, **options):
    """Make a value in memory, as code without a file does."""
    options = {"name": f"value {next(_numbers)}", "fallback": "memory", **options}
    return eval("Value(default, **options)", {"Value": Value, "default": default, "options": options})


@pytest.fixture
def load(tmp_path):
    """Give a function that imports a module with values, named like a test."""

    def load(source, name="test_it"):
        path = tmp_path / f"{name}.py"
        if source is not None:
            path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("test_it", None)
    for name in [name for name in _slot._slots if str(tmp_path) in name[0]]:
        _slot._slots.pop(name)


BINARY = {
    operator.add: (7, 2),
    operator.sub: (7, 2),
    operator.mul: (7, 2),
    operator.truediv: (7, 2),
    operator.floordiv: (7, 2),
    operator.mod: (7, 2),
    operator.pow: (7, 2),
    operator.lshift: (7, 2),
    operator.rshift: (7, 2),
    operator.and_: (7, 2),
    operator.or_: (5, 2),
    operator.xor: (7, 2),
    divmod: (7, 2),
    operator.lt: (7, 2),
    operator.le: (2, 2),
    operator.gt: (7, 2),
    operator.ge: (2, 2),
    operator.eq: (2, 2),
    operator.ne: (2, 2),
}


class Matrix:
    """Something that knows ``@``."""

    def __init__(self, n=1):
        self.n = n

    def __matmul__(self, other):
        return Matrix(self.n * 10 + other.n) if isinstance(other, Matrix) else NotImplemented

    def __eq__(self, other):
        return self.n == other.n

    __hash__ = None


@pytest.mark.parametrize("operation", [*BINARY, operator.matmul], ids=lambda operation: operation.__name__)
def test_operators_are_those_of_what_is_held(operation):
    one, other = BINARY.get(operation, (Matrix(1), Matrix(2)))
    expected = operation(one, other)
    assert operation(value_of(one), other) == expected
    assert operation(one, value_of(other)) == expected
    assert operation(value_of(one), value_of(other)) == expected
    in_place = getattr(operator, f"i{operation.__name__.rstrip('_')}", None)
    if in_place is not None and operation in {*list(BINARY)[:12], operator.matmul}:
        value = same = value_of(one)
        value = in_place(value, value_of(other))
        assert value is same
        assert value.value == expected


def test_conversions():
    value = value_of(-2.5)
    assert (int(value), float(value), complex(value), bool(value)) == (-2, -2.5, -2.5 + 0j, True)
    assert (-value, +value, abs(value), round(value), round(value, 1)) == (2.5, -2.5, 2.5, -2, -2.5)
    assert (str(value), f"{value:.2f}", repr(value)[:11]) == ("-2.5", "-2.50", "Value(-2.5,")
    assert (~value_of(5), [0, 1, 2][value_of(1)], list(range(value_of(2)))) == (-6, 1, [0, 1])
    assert bytes(value_of(b"x")) == b"x"
    for function in (len, iter, operator.index, reversed):
        with pytest.raises(TypeError):
            function(value_of(1.5))
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


def test_rounding_is_that_of_what_is_held():
    value = value_of(Fraction(10**400, 3))  # which no float can hold
    for function in (math.trunc, math.floor, math.ceil, round):
        assert function(value) == function(value.value)


def test_arrays_meet_values():
    numpy = pytest.importorskip("numpy")
    array, two = numpy.arange(3, dtype="f4"), value_of(2)
    for product in (array * two, two * array, numpy.multiply(array, two), array + value_of(array)):
        assert product.dtype == "f4"
    assert (array * two).tolist() == [0, 2, 4]
    assert numpy.sqrt(value_of(4)) == 2
    assert numpy.add.reduce(value_of([1, 2])) == 3
    array += two
    assert array.tolist() == [2, 3, 4]
    kept = value_of(numpy.zeros(3))
    kept += array
    assert (kept == array).all()
    with pytest.raises(TypeError, match="__array_ufunc__"):
        numpy.add(array, 1, out=kept)


def test_items():
    table = value_of({"a": 1})
    table["b"] = 2
    del table["a"]
    assert (list(table), len(table), "b" in table, "a" in table, table["b"]) == (["b"], 1, True, False, 2)
    row = value_of([1, 2, 3])
    row[1:] = [5]
    row += [7]
    assert (row.value, list(reversed(row)), row == [1, 5, 7]) == ([1, 5, 7], [7, 5, 1], True)
    with pytest.raises(KeyError):
        del table["absent"]


def test_calling_reads_and_writes():
    value = value_of("default")
    assert value() == "default"
    for false in (0, "", None, [], False, 0.0):
        assert value(false) == false
        assert (value(), type(value.value)) == (false, type(false))


def test_changes_of_two_objects_of_one_name_meet():
    one, other = value_of([], name="shared"), value_of([], name="shared")
    one.value.append(1)
    assert other.value is one.value
    other.value = [5]
    assert one.value == [5]
    one.reset()
    assert other.value == []


def test_the_default_comes_back_as_it_was():
    value = value_of([1])
    value.value.append(2)
    assert value.save() is True
    assert value.save() is False
    value.reset()
    assert value.value == [1]
    value.value.append(3)
    value.value = DELETE_CURRENT
    assert value.value == [1]
    value.value = KEEP_CURRENT
    assert value.transform(lambda old: [*old, 9]) == [1, 9]
    with pytest.raises(InvalidArgumentError, match=r"return the new value, or use edit\(\)"):
        value.transform(lambda old: old.append(10))
    assert value.value == [1, 9]
    assert value.transform(lambda old: DELETE_CURRENT) == [1]


def test_edit_stores_at_the_end_and_nothing_after_an_error():
    value = value_of({"n": [0]})
    with value.edit() as inner:
        inner["n"].append(1)
    assert value.value == {"n": [0, 1]}

    def fail():
        with value.edit() as inner:
            inner["n"].append(2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert value.value == {"n": [0, 1]}


def test_what_is_assigned_inside_of_edit_stays(load):
    module = load("from holdall import Value\ncount, items = Value(0), Value([])\n")
    count, items = module.count, module.items
    for value in (count, value_of(0)):
        with value.edit() as number:
            value.value = number + 1
        assert value.value == 1
    with items.edit() as inner:
        inner.append(1)
        items.value = inner
        inner.append(2)
    assert items.value == [1, 2]
    with items.edit() as outer, items.edit() as inner:
        outer.append(3)
        inner.append(4)
    assert items.value == [1, 2, 3, 4]
    with items.edit():
        items += [5]
    assert ScriptStore(items.path)["items"] == [1, 2, 3, 4, 5]

    def both():
        with items.edit() as inner:
            items.value = ["assigned"]
            inner.append("changed")

    with pytest.raises(InvalidArgumentError, match="Do one of both"):
        both()
    assert items.value == ["assigned"]
    with items.edit():
        items.reset()
    assert items.value == []


def test_what_cannot_be_stored_is_refused_and_changes_nothing():
    value = value_of(1)
    with pytest.raises(SerializationError, match="value"):
        value.value = threading.Lock()
    with pytest.raises(SerializationError):
        value.transform(lambda old: threading.Lock())
    assert value.value == 1
    value.value = Fraction(1, 3)
    assert value.value == Fraction(1, 3)


def test_threads_lose_no_increment(load):
    module = load(
        """
        from holdall import Value
        count, table = Value(0), Value({})
        def up():
            global count
            count += 1
            with table.edit() as inner:
                inner["n"] = inner.get("n", 0) + 1
        """
    )
    in_threads(4, lambda _: [module.up() for _ in range(50)])
    assert (module.count.value, module.table.value) == (200, {"n": 200})


def test_locks_of_store_and_values_have_no_wrong_order(load):
    module = load(
        """
        from holdall import ScriptStore, Value
        store, a, b = ScriptStore(), Value(0), Value([])
        def work(me):
            global a
            for _ in range(50):
                if me % 2:
                    with store.lock():
                        a += 1
                        b.value
                else:
                    with b.edit():
                        a += 1
                        store["c"] = 1
        """
    )
    in_threads(4, module.work)
    assert module.a.value == 200


def test_values_are_items_of_the_store(load):
    module = load("from holdall import *\nstore, count = ScriptStore(), Value(0)\ncount += 1\n")
    assert module.store.copy() == {"count": 1}
    module.store["count"] = 5
    assert module.count.value == 5
    assert module.count.path == module.store.path == module.__file__
    assert (module.count.name, ScriptStore(module.__file__)["count"]) == ("count", 5)


def test_a_module_that_is_edited_and_loaded_again(load):
    source = "from holdall import Value\na = Value(0)\nb = Value(0, name='c')\na += 1\nb += 10\n"
    module = load(source)
    assert (module.a.value, module.b.value) == (1, 10)
    with open(module.__file__) as file:
        text = file.read()
    module = load("# a line\n\n" + text)
    assert (module.a.value, module.b.value) == (2, 20)
    with open(module.__file__) as file:
        text = file.read()
    with pytest.raises(InvalidArgumentError, match="two values are called 'a'"):
        load(text.replace("a += 1\n", "a = Value(7)\n"))


def test_a_function_that_is_called_again_has_the_same_value(load):
    module = load(
        """
        from holdall import Value
        def visit():
            visits = Value(0)
            visits += 1
            return visits
        class Game:
            best: Value[int] = Value(3)
            def play(self):
                best = Value[int](1)
                best.value *= 2
                return best
        """
    )
    assert [module.visit().value for _ in range(3)] == [1, 2, 3]
    assert [module.Game().play().value for _ in range(3)] == [2, 4, 8]
    assert module.visit().name == "visit.visits"
    assert (module.Game.best.name, module.Game().play().name) == ("Game.best", "Game.play.best")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("[Value(0) for _ in 'ab']", "loop or comprehension"),
        ("x = [Value(0) for _ in 'ab']", "loop or comprehension"),
        ("for _ in 'ab':\n    x = Value(0)", "loop or comprehension"),
        ("while True:\n    class A:\n        x = Value(0)", "loop or comprehension"),
        ("x = (lambda: Value(0))()", "a lambda"),
        ("print(Value(0))", "not assigned to a name"),
        ("x = {'a': Value(0)}", "not assigned to a name"),
        ("x = Value(0) if True else Value(1)", "not assigned to a name"),
        ("@Value\ndef f(): pass", "no call stands there"),
        ("x, y = map(Value, (1, 2))", "no call stands there"),
        ("x = [Value(0)]", "not assigned to a name"),
        ("x, *y = Value(0), Value(1)", "not assigned to a name"),
        ("x = Value(0) or 1", "not assigned to a name"),
        ("x = {}\nx['a'] = Value(0)", "not assigned to a name"),
        (
            "class A:\n    def __init__(self):\n        self.x = Value(0)\nA()",
            "self.x is another one for each",
        ),
    ],
)
def test_calls_without_a_name_of_their_own_are_refused(load, code, why):
    with pytest.raises(InvalidArgumentError, match=why) as caught:
        load(f"from holdall import Value\n{code}\n")
    assert "name='...'" in str(caught.value)
    assert "line " in str(caught.value)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("x = Value(0)", "x"),
        ("x = y = Value(0)", "x"),
        ("x: int = Value(0)", "x"),
        ("(x := Value(0))", "x"),
        ("if True:\n    with open(__file__):\n        x = Value(0)", "x"),
        ("import holdall\nx = holdall.Value(\n    0,\n)", "x"),
        ("import holdall\nx = (holdall\n  .Value(0))", "x"),
        ("[[x], y] = [[Value(0)], 1]", "x"),
        ("class A: pass\nA.x = Value(0); x = A.x", "A.x"),
        ("class Mine(Value):\n    def __init__(self, d):\n        super().__init__(d)\nx = Mine(0)", "x"),
        ("é = 'é'; x = Value(0)", "x"),
        ("for x in 'a':\n    def f():\n        z = Value(0)\n        return z\nx = f()", "f.z"),
        ("@(x := Value(0)).transform\ndef f(n): return n", "x"),
        ("x = Value(0, name=('any', 1))", ("any", 1)),
    ],
)
def test_names_are_found_in_the_source(load, code, name):
    assert load(f"from holdall import Value\n{code}\n").x.name == name


def test_copies_and_pickles(load):
    module = load("from holdall import Value\ncount = Value(0)\ncount += 1\n")
    one, other = copy.copy(module.count), pickle.loads(pickle.dumps(module.count))
    one += 1
    other += 1
    assert one.name == other.name == "count"
    assert module.count.value == 3
    with pytest.raises(UnsupportedError, match="kept in memory"):
        pickle.dumps(value_of(1))


def test_options_are_checked():
    with pytest.raises(InvalidArgumentError, match="'error', 'memory' or 'sidecar', got 'nowhere'"):
        value_of(1, fallback="nowhere")
    with pytest.raises(TypeError):
        value_of(1, name=["list"])
    with pytest.raises(UnsupportedError, match="Give fallback='memory'"):
        value_of(1, fallback="error")


def test_sidecars_have_different_names_and_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    names = {Origin(None, "why", path).sidecar for path in ("/a/x.py", "/b/x.py", "/", "/a/" + "n" * 300)}
    assert len(names) == 4
    assert all(name.startswith(f"{tmp_path}/holdall/") for name in names)
