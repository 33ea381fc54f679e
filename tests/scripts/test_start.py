"""Scripts with values, run, edited, and run again: whatever happens to them, they start and remember."""

import os

import pytest

from exploring import rows_in_soak
from scripts._support import MARKER, Script, run

COUNT = """
    from holdall import Value
    count = Value(0)
    count.value += 1
    print(count.value)
"""


@pytest.fixture
def count(tmp_path):
    return Script(tmp_path, COUNT)


def test_a_value_is_there_again(count):
    assert [count.run() for _ in range(3)] == ["1", "2", "3"]
    assert count.data == {"count": "3"}


def test_a_run_that_only_reads_leaves_the_file_alone(tmp_path):
    script = Script(
        tmp_path, "import holdall\nn = holdall.Value([1])\nprint(n, len(n), holdall.ScriptStore())"
    )
    before = os.stat(script.path)
    script.run()
    assert script.bytes == script.above
    with_data = Script(tmp_path, COUNT, "other.py")
    with_data.run()
    with_data.edit(lambda text: text.replace(b"count.value += 1\n", b""))
    stat = os.stat(with_data.path)
    for _ in range(2):
        assert with_data.run() == "1"
    after = os.stat(with_data.path)
    assert (stat.st_mtime_ns, stat.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert before.st_mtime_ns == os.stat(script.path).st_mtime_ns


# ---------------------------------------------------------------------- edits


def test_lines_may_be_added_above(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        x = Value(0)
        y = Value(100)
        x.value += 1
        y.value += 1
        print(x, y)
        """,
    )
    assert script.run() == "1 101"
    script.edit(lambda text: b"# a line\n" + text.replace(b"y = ", b"\n\ny = ", 1))
    assert script.run() == "2 102"
    script.edit(lambda text: text.replace(b"x = Value(0)\n", b"").replace(b"y = ", b"x = Value(0); y = ", 1))
    assert script.run() == "3 103"
    assert script.data == {"x": "3", "y": "103"}


def test_several_on_one_line(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        a, b = Value(1), Value(2)
        c = Value(3); [d, (e, f)] = [Value(4), (Value(5), Value(6))]
        for v in (a, b, c, d, e, f):
            v.value *= 10
        print(a, b, c, d, e, f)
        """,
    )
    assert script.run() == "10 20 30 40 50 60"
    assert script.run() == "100 200 300 400 500 600"
    assert script.data == dict(zip("abcdef", ("100", "200", "300", "400", "500", "600"), strict=True))


def test_a_loop_needs_names_and_says_so(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        for make in (lambda: [Value(0) for _ in range(3)], lambda: Value(1)):
            try:
                make()
            except ValueError as error:
                print(error)
        try:
            for _ in range(3):
                slot = Value(0)
        except ValueError as error:
            print(error)
        slots = [Value(0, name=f"slot {n}") for n in range(3)]
        for n, slot in enumerate(slots):
            slot.value += n
        print([slot.value for slot in slots])
        """,
    )
    said = script.run().splitlines()
    assert all("line" in line and "name='...'" in line for line in said[:3])
    assert ["loop or comprehension" in line for line in said[:3]] == [True, False, True]
    assert said[3:] == ["[0, 1, 2]"]
    assert script.run().splitlines()[3:] == ["[0, 2, 4]"]
    assert script.data == {"slot 0": "0", "slot 1": "2", "slot 2": "4"}


def test_one_name_for_two_is_an_error(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        a = Value(1)
        def f():
            return Value(2, name="a")
        for make in (lambda: exec("b = 1"), f):
            try:
                make()
            except ValueError as error:
                print(error)
        if True:
            try:
                a = Value(3)
            except ValueError as error:
                print(error)
        """,
    )
    said = script.run().splitlines()
    assert len(said) == 2
    assert all("'a'" in line and "line 2, column 5" in line for line in said)


# ---------------------------------------------------------------------- endings


@pytest.mark.parametrize(
    "end",
    [
        "os._exit(0)",
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os.kill(os.getpid(), signal.SIGTERM)",
        "raise RuntimeError",
        "sys.exit(3)",
    ],
)
def test_what_was_stored_stays_however_the_process_ends(tmp_path, end):
    script = Script(
        tmp_path,
        f"""
        import os, signal, sys
        from holdall import Value
        count, before = Value(0), Value("old")
        print(count, before, flush=True)
        for _ in range(10):
            count.value += 1
        before.value = "new"
        {end}
        """,
    )
    assert script.run(check=False) == "0 old"
    assert script.run(check=False) == "10 new"
    assert script.data == {"count": "20", "before": '"new"'}


def test_workers_of_a_pool_count_in_the_script(tmp_path):
    script = Script(
        tmp_path,
        """
        import multiprocessing
        from holdall import Value
        count = Value(0)
        def work(number):
            global count
            count += 1
        if __name__ == "__main__":
            for method in ("spawn", "fork"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    pool.map(work, range(10))
            print(count)
        """,
    )
    assert script.run() == "20"
    assert script.data == {"count": "20"}


# ---------------------------------------------------------------------- text below, text that looks alike


def test_text_below_the_data(count):
    assert count.run() == "1"
    count.edit(lambda text: text + b"\n\nprint('below')\n")
    assert count.run() == "2\nbelow"
    assert count.run() == "3\nbelow"
    count.edit(lambda text: text + b"# no newline")
    assert count.run() == "4\nbelow"
    assert count.bytes.count(b"print('below')") == count.bytes.count(b"# no newline\n") == 1
    assert count.bytes.count(MARKER) == 1


def test_values_in_code_below_the_data(count):
    assert count.run() == "1"
    count.edit(lambda text: text + b"def f():\n    more = Value(5)\n    more += 1\n    print(more)\nf()\n")
    assert count.run() == "2\n6"
    assert count.run() == "3\n7"
    assert count.data == {"count": "3", "f.more": "7"}
    count.edit(lambda text: text + b"count = Value(0)\n")
    assert "two values are called 'count'" in run(count.path, check=False).stderr


def test_data_that_were_moved_to_the_top(count):
    assert count.run() == "1"
    lines = count.bytes.split(b"\n")
    at = lines.index(MARKER)
    count.edit(lambda _: b"\n".join(lines[at:] + lines[:at]))
    assert count.run() == "2"
    assert count.run() == "3"


@pytest.mark.parametrize("change", [lambda line: b"", lambda line: b"    " + line], ids=["gone", "indented"])
def test_a_marker_that_is_none_any_more(count, change):
    assert [count.run() for _ in range(3)] == ["1", "2", "3"]
    count.edit(lambda text: text.replace(MARKER, change(MARKER)))
    assert count.run() == "1"
    assert count.bytes.count(b"# count = ") == 4
    count.edit(lambda text: text.replace(MARKER, b"").replace(b"# count", MARKER + b"\n# count", 1))
    assert count.data == {"count": "1"}, "the newest"
    assert count.run() == "2"


def test_a_marker_in_a_string(tmp_path):
    below = b"# count = 100 #: 0123456789abcdef 01234567\n"
    code = b"from holdall import Value\ncount = Value(0)\ncount.value += 1\nprint(count)\n"
    script = Script(
        tmp_path,
        b'"""It looks so:\n' + MARKER + b"\n" + below + b'"""\n' + b"x = '''\n" + MARKER + b"\n'''\n" + code,
    )
    assert [script.run() for _ in range(3)] == ["1", "2", "3"]
    assert script.bytes.count(MARKER) == 3


@pytest.mark.parametrize(
    ("head", "end"),
    [
        (b"", b""),
        (b"# -*- coding: latin-1 -*-\nname = '\xe9'\n", b"\n"),
        (b"\xef\xbb\xbf# \xc3\xa9\r\n", b"\n"),
        *rows_in_soak(
            (b"", b"\n"),
            (b"#!/usr/bin/env python\n", b"\n"),
            (b"\xef\xbb\xbf", b""),
            (b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nname = '\x80'\n", b""),
            (b"\r\n", b""),
        ),
    ],
)
def test_encodings_line_ends_and_a_missing_newline(tmp_path, head, end):
    newline = b"\r\n" if b"\r" in head else b"\n"
    code = [
        b"from holdall import Value",
        b"s = Value('\\u20ac'); s += '\\U0001f600'",
        b"print(ascii(s.value))",
    ]
    script = Script(tmp_path, head + newline.join(code) + (end and newline))
    assert script.run() == r"'\u20ac\U0001f600'"
    assert script.run() == r"'\u20ac\U0001f600\U0001f600'"
    below = script.bytes[len(script.above) :]
    assert below.count(MARKER) == 1
    assert below.isascii()
    assert below.count(b"\n") == below.count(newline)


def test_all_line_ends_are_converted(count):
    assert count.run() == "1"
    for old, new in ((b"\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r\n")):
        number = int(count.run())
        count.edit(lambda text, old=old, new=new: text.replace(old, new))
        assert count.run() == str(number + 1)
    assert count.bytes.count(MARKER) == 1
    assert count.bytes.count(b"\n") == count.bytes.count(b"\r\n")


def test_trailing_spaces_come_and_go(count):
    assert count.run() == "1"
    count.edit(lambda text: b"\n".join(line + b"  " for line in text.split(b"\n")))
    assert count.run() == "2"
    count.edit(lambda text: b"\n".join(line.rstrip() for line in text.split(b"\n")))
    assert count.run() == "3"
    assert count.bytes.count(MARKER) == 1


def test_formatters(count):
    pytest.importorskip("ruff")
    assert count.run() == "1"
    count.edit(lambda text: text.replace(b"Value(0)", b"Value( 0 )"))
    done = run("-m", "ruff", "format", count.path)
    assert "1 file reformatted" in done.stdout
    count.above = count.bytes.partition(MARKER)[0].rstrip(b"\n")
    assert count.run() == "2"


def test_a_symbolic_link_stays_one(tmp_path):
    real = Script(tmp_path / "real", COUNT)
    link = tmp_path / "link.py"
    link.symlink_to(real.path)
    assert run(link).stdout == "1\n"
    assert run(real.path).stdout == "2\n"
    assert link.is_symlink()
    assert real.data == {"count": "2"}


# ---------------------------------------------------------------------- values


def test_false_values_stay(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        a, b, c, d, e = Value(5), Value("x"), Value([1]), Value(True), Value({1})
        print(a, repr(b.value), c, d, e)
        a(0), b(""), c([]), d(None), e(set())
        """,
    )
    assert script.run() == "5 'x' [1] True {1}"
    assert script.run() == "0 '' [] None set()"


def test_an_object_of_a_class_that_is_defined_below(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        where = Value(None)
        class Point:
            def __init__(self, x):
                self.x = x
        print(where.value and where.value.x)
        where.value = Point(7 if where.value is None else where.value.x + 1)
        """,
    )
    assert [script.run() for _ in range(3)] == ["None", "7", "8"]
    script.edit(lambda text: text.replace(b"Point", b"Place"))
    done = run(script.path, check=False)
    assert "needs code that is not here" in done.stderr
    script.edit(lambda text: text.replace(b"print(where.value and where.value.x)", b"where.reset()"))
    assert script.run() == ""
    assert script.run() == ""


def test_changes_in_place_are_noticed_at_the_end(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        items, table, pair = Value([]), Value({"n": 0}), Value(([], 1))
        items.value.append(len(items))
        table.value["n"] += 1
        pair.value[0].append("x")
        def main():
            local = Value(set())
            local.value.add(len(local))
            return sorted(local.value)
        print(items, table, pair, main())
        """,
    )
    assert script.run() == "[0] {'n': 1} (['x'], 1) [0]"
    assert script.run() == "[0, 1] {'n': 2} (['x', 'x'], 1) [0, 1]"
    assert script.data["table"] == '{"n": 2}'
    assert script.data["main.local"].startswith("pickle ")


def test_a_change_in_place_does_not_undo_what_others_stored(tmp_path):
    script = Script(
        tmp_path,
        """
        import subprocess, sys
        from holdall import Value
        items = Value([])
        if len(sys.argv) > 1:
            with items.edit() as edited:
                edited.append("other")
        else:
            items.value.append("mine")
            subprocess.run([sys.executable, __file__, "other"], check=True)
        """,
    )
    done = run(script.path)
    assert "changed in place here, and stored by somebody else" in done.stderr
    assert script.data == {"items": '["other"]'}


def test_a_warning_that_is_an_error_does_not_keep_others_from_being_stored(tmp_path):
    script = Script(
        tmp_path,
        """
        import subprocess, sys
        from holdall import Value
        items, more = Value([]), Value([])
        if len(sys.argv) > 1:
            items += ["other"]
        else:
            items.value.append("mine")
            more.value.append("mine")
            subprocess.run([sys.executable, __file__, "other"], check=True)
        """,
    )
    assert "stored by somebody else" in run("-W", "error", script.path).stderr
    assert script.data == {"items": '["other"]', "more": '["mine"]'}


def test_a_write_appends_one_line(tmp_path):
    script = Script(
        tmp_path,
        """
        import os, sys
        from holdall import ScriptStore
        store = ScriptStore()
        store.update((str(n), n) for n in range(1000))
        before = os.stat(__file__)
        for n in range(5):
            store["500"] = -n
        after = os.stat(__file__)
        print(before.st_ino == after.st_ino, after.st_size - before.st_size < 5 * 50)
        """,
    )
    assert script.run() == "True True"


def test_a_script_that_writes_much_stays_small(tmp_path):
    script = Script(
        tmp_path,
        """
        from holdall import Value
        import os
        count, other = Value(0), Value("stays")
        other("there")
        os.chmod(__file__, 0o750)
        for _ in range(5000):
            count.value += 1
        print(os.path.getsize(__file__) < 200_000)
        """,
    )
    assert script.run() == "True"
    assert len(script.bytes) < 4000
    assert os.stat(script.path).st_mode & 0o777 == 0o750
    assert script.data == {"count": "5000", "other": '"there"'}
    assert os.listdir(script.path.parent) == ["script.py"]
