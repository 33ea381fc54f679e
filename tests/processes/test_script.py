"""Processes that share a script, are killed while they write, or meet an editor at work."""

import json
import subprocess
import sys

import pytest

from exploring import in_soak
from holdall import ScriptStore, StoreFullError
from holdall.persisters.script import ScriptPersister
from processes._support import PYTHON, child, child_environment, mount, unmount
from scripts._support import Script, run

COUNT = """
    import os, sys, time
    from holdall import Value
    count = Value(0)
    text = Value("")
    if len(sys.argv) > 1:
        print("ready", flush=True)
        sys.stdin.readline()
        for n in range(int(sys.argv[1])):
            count += 1
            text.value = "x" * (n % 50)
    else:
        print(count)
"""


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, script.path, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def check_increments(tmp_path, times, n=4):
    script = Script(tmp_path, COUNT)
    processes = [start(script, times) for _ in range(n)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (out, err, process.returncode) == ("", "", 0)
    assert script.run() == str(n * times)


def test_no_increment_is_lost(tmp_path):
    check_increments(tmp_path, 60)


@pytest.mark.soak
@pytest.mark.parametrize("run", range(20))
def test_no_increment_is_lost_in_20_of_20_runs(tmp_path, run):
    check_increments(tmp_path, 250)


@pytest.mark.parametrize("kills", [10, *in_soak(200)])
def test_killed_writers_lose_nothing_and_the_script_starts(tmp_path, kills):
    script = Script(tmp_path, "import holdall\nprint(len(holdall.ScriptStore()))")
    with child(PYTHON, "-m", "processes._scripter", str(script.path), str(kills), "0") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    report = json.loads(out)
    assert report["wrong"] == []
    assert report["kills"] == kills
    assert report["acknowledged"] > 0.7 * kills, "the writers were killed before they wrote"
    assert [name for name in report["left"] if not name.startswith(".script.py.holdall-")] == ["script.py"]
    assert report["largest"] < 600_000, "the script was never rewritten"
    assert int(script.run()) in {7, 8}


def test_the_file_cut_at_every_byte(tmp_path):
    """A copy that stopped halfway, or a disk that was full: the script starts, with whole values."""
    code = b"from holdall import ScriptStore\nprint(ScriptStore().copy())"
    script = Script(tmp_path, code)
    store = ScriptStore(script.path)
    states = [{}]
    for key, value in (("a", 1), ("b", "text"), ("a", {1, 2}), ("c d", [None]), ("a", None)):
        store[key] = value
        states.append(store.copy())
    del store["b"]
    states.append(store.copy())
    store.close()
    text = script.bytes
    cut = tmp_path / "cut.py"
    seen = []
    for end in range(len(code), len(text) + 1):
        cut.write_bytes(text[:end])
        compile(cut.read_bytes(), "cut.py", "exec")
        place = ScriptPersister(cut)
        found = ScriptStore(cut).copy()
        assert found in states
        if found not in seen:
            seen.append(found)
        place["new"] = b"7"  # and goes on
        place.close()
        again = ScriptStore(cut).copy()
        assert again == {**found, "new": 7}
        place.close()
        if end % 60 == 0:
            assert run(cut).stdout.strip() == str(again)
    assert seen == states


def test_a_full_disk(tmp_path):
    """The value that does not fit is refused; the script starts with the one before, and goes on."""
    place = tmp_path / "small"
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", at=place)
    try:
        script = Script(place, "import holdall\nprint(len(holdall.ScriptStore()['x']))")
        with ScriptStore(script.path) as store:

            def grow():
                for size in range(0, 60_000, 700):
                    store["x"] = "x" * size
                    written.append(size)

            written = []
            with pytest.raises(StoreFullError, match="untouched"):
                grow()
            assert script.run() == str(written[-1]) == str(len(store["x"]))
            assert script.bytes.endswith(b"\n")
            assert store.check() == []
            store["x"] = ""
            assert script.run() == "0"
    finally:
        unmount(place)


def test_an_editor_saves_while_the_script_runs(tmp_path):
    script = Script(
        tmp_path,
        """
        import sys
        from holdall import Value
        count = Value(0)
        for line in sys.stdin:
            count += 1
            print(count, flush=True)
        """,
    )
    with child(PYTHON, str(script.path)) as process:

        def step():
            process.stdin.write(b"\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        opened = script.bytes
        assert [step(), step()] == [1, 2]
        for how in ("in place", "by rename"):
            for text in (b"# edited " + how.encode() + b"\n" + opened, opened):
                if how == "in place":
                    script.path.write_bytes(text)
                else:
                    script.path.with_name("new").write_bytes(text)
                    script.path.with_name("new").rename(script.path)
                number = step()
                assert step() == number + 1
                assert script.bytes.startswith(text)
    script.above = opened
    assert script.data == {"count": "10"}
