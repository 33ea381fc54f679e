"""A script that remembers: a counter, a list and a table, kept in comment lines at the end of this very file.

To leave the file of the repository as it is, the example copies itself into the current folder and runs the
copy; look at the end of ``diary_copy.py`` afterwards, and run it again.

    python examples/diary.py [LINE...]
"""

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from holdall import ScriptStore, Value

COPY = "diary_copy.py"


def main(words: list[str]) -> None:
    """Add a line to the diary, and show it."""
    runs = Value(0)
    entries: Value[list[list[str]]] = Value([])
    runs += 1
    if words:
        with entries.edit() as lines:
            lines.append([dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), " ".join(words)])
    store: ScriptStore[str, Any] = ScriptStore()
    longest = store.setdefault("longest", 0)
    store["longest"] = max(longest, *(len(text) for _, text in entries.value), 0)
    print(f"run {runs}, {len(entries)} lines, the longest has {store['longest']} characters")
    for when, text in entries:
        print(f"  {when}  {text}")


if __name__ == "__main__":
    here = Path(__file__)
    if here.name == COPY:
        main(sys.argv[1:])
    else:
        copy = Path(COPY)
        if not copy.exists():
            shutil.copy(here, copy)
        subprocess.run([sys.executable, COPY, *(sys.argv[1:] or ["Nothing", "happened."])], check=True)  # noqa: S603
