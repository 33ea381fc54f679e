"""Use an installed holdall without extras, as someone does who has just installed it."""

import importlib.metadata
import importlib.resources
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import holdall

assert "site-packages" in holdall.__file__, f"holdall is that of {holdall.__file__}"
assert holdall.__version__ == importlib.metadata.version("holdall")
assert importlib.resources.files("holdall").joinpath("py.typed").is_file()

for name in holdall.__all__:
    if name not in {"SQLRows", "SQLTables"}:
        getattr(holdall, name)

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    stores = [
        holdall.FileDirStore("files", serializer="json"),
        holdall.SQLiteStore("data.db"),
        holdall.ZipStore("data.zip", serializer="json"),
        holdall.SpillStore("spilled"),
        holdall.ArchiveStore("package"),
        holdall.MemoryStore(),
    ]
    for store in stores:
        store["x"] = [1, 2.5, None]
        assert (list(store), store["x"], store.increment("n"), len(store)) == (["x"], [1, 2.5, None], 1, 2)
        store.close()
    assert holdall.FileDirStore("files")["x"] == [1, 2.5, None]

    calls = []
    square = holdall.memoize("results")(lambda x: calls.append(x) or x * x)
    assert [square(3), square(3), calls] == [9, 9, [3]]

    Path("script.py").write_text(
        "import holdall\nruns = holdall.Value(0)\nruns.value += 1\nprint(runs.value)\n"
    )
    runs = [
        subprocess.run([sys.executable, "script.py"], capture_output=True, check=True).stdout for _ in "12"
    ]
    assert runs == [b"1\n", b"2\n"], runs

    command = Path(sys.executable).with_name("holdall")
    listed = subprocess.run([command, "ls", "dir:files"], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["n", "x"], listed

    told = ""
    try:
        holdall.FileDirStore("arrays", serializer="npy")
    except holdall.UnsupportedError as error:
        told = str(error)
    assert "holdall[arrays]" in told, "there is no numpy here"

print(f"holdall {holdall.__version__} works, with", len(os.sys.modules), "modules")
