"""Two who change one value at once: nobody's change is lost, or a warning says that it is."""

import importlib.util
import operator
import re
import subprocess
import sys
import textwrap
import warnings
import zipapp

import pytest

from holdall import ScriptStore
from holdall.value import _slot
from processes._support import child_environment

OPERATIONS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "**": operator.pow, "<<": operator.lshift, ">>": operator.rshift, "&": operator.and_, "|": operator.or_,
    "^": operator.xor, "/": operator.truediv,
}  # fmt: skip


@pytest.fixture
def module(tmp_path):
    """Give a function that imports a script with a count, while somebody else stores 100 by `other()`."""
    path = tmp_path / "test_lost.py"

    def load(source):
        path.write_text("from holdall import Value\ncount = Value(7)\n\n" + textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location("test_lost", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["test_lost"] = module

        def other(operand=3):
            ScriptStore(path)["count"] = 100
            return operand

        module.other = other
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("test_lost", None)
    for name in [name for name in _slot._slots if str(tmp_path) in name[0]]:
        _slot._slots.pop(name)


@pytest.mark.parametrize("sign", OPERATIONS)
def test_an_augmented_assignment_loses_nothing(module, sign):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = module(f"""
            count.value {sign}= other()
            def change(holder):
                holder[0].value {sign}= other()
            first = count.value
            change([count])
            """)
    assert found.first == OPERATIONS[sign](100, 3)
    assert found.count.value == OPERATIONS[sign](100, 3)


@pytest.mark.parametrize(
    "line",
    [
        "count.value = count.value + other()",
        "count.value = max(count.value, other())",
        "count.value, x = count.value + other(), 1",
    ],
)
def test_a_line_that_reads_and_assigns_warns_of_what_it_loses(module, line):
    with pytest.warns(UserWarning, match=r"'count' .* line 4, .* change is lost.*\+= 1"):
        found = module(line)
    assert found.count.value < 100


@pytest.mark.parametrize(
    "line",
    [
        "count.value = count.value + 1",
        "other(); count.value = count.value + 1",
        "count.value = other()",
        "x = count.value; y = other()\ncount.value = 5",
        "count.value += 1; other(); count.value = 5",
    ],
)
def test_what_loses_nothing_that_it_knows_of_says_nothing(module, line):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(line)


def test_reading_is_reading_wherever_it_stands(module):
    found = module("""
        names = [str(index) for index in range(300)]
        big = "; ".join(f"n{name} = {name}" for name in names) + "; result = [count.value, x := count.value]"
        space = {"count": count}
        exec(big, space)
        copies = a = b = count.value
        chained = 0 < count.value < 10
        last = (one := count).value
        grown = {"count": count}
        exec("; ".join(f"n{name} = {name}" for name in names) + "; count.value += 1", grown)
        """)
    assert found.space["result"] == [7, 7]
    assert (found.copies, found.chained, found.last, found.count.value) == (7, True, 7, 8)


def test_a_list_grows_by_what_both_add(module):
    found = module("""
        names = Value([])
        def theirs():
            from holdall import ScriptStore
            ScriptStore(__file__)["names"] = ["theirs"]
            return ["mine"]
        names.value += theirs()
        """)
    assert found.names.value == ["theirs", "mine"]


def test_an_error_of_the_operation_is_that_of_the_operation(module):
    found = module("")
    with pytest.raises(TypeError, match="unsupported operand"):
        found.count.value += "x"
    assert found.count.value == 7


class TestDelivered:
    """What becomes of a value when its module is delivered is said at the first run of its author."""

    def run(self, *words, cwd):
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=cwd,
            env={**child_environment(), "XDG_DATA_HOME": str(cwd / "data")},
            capture_output=True,
            text=True,
            check=False,
        )

    def make(self, folder, arguments=""):
        package = folder / "mine"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(
            f"from holdall import Value\ncount = Value(0{arguments})\ncount += 1\nprint(count)\n"
        )

    @pytest.mark.parametrize("how", [("-m", "mine"), ("mine",), ("-c", "import mine.__main__")], ids=str)
    def test_the_author_is_told_once_a_choice_is_due(self, tmp_path, how):
        self.make(tmp_path)
        done = self.run(*how, cwd=tmp_path)
        assert done.stdout == "1\n"
        assert re.search(r"belongs to a package: .* fallback='sidecar'", done.stderr)

    @pytest.mark.parametrize("fallback", ["error", "memory", "sidecar"])
    def test_who_has_chosen_is_not_told(self, tmp_path, fallback):
        self.make(tmp_path, f", fallback='{fallback}'")
        done = self.run("-m", "mine", cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("1\n", "")

    def test_the_choice_holds_in_a_zipapp(self, tmp_path):
        self.make(tmp_path, ", fallback='sidecar', name='count'")
        zipapp.create_archive(tmp_path / "mine", tmp_path / "mine.pyz")
        for count in "12":
            done = self.run("mine.pyz", cwd=tmp_path)
            assert (done.stdout, done.stderr) == (f"{count}\n", "")
        assert list((tmp_path / "data" / "holdall").iterdir())
