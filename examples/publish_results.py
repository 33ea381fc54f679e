"""Publish results as a package that any Python imports, without this library.

python examples/publish_results.py
"""

import subprocess
import sys

from holdall import Archive

if __name__ == "__main__":
    days = [("2024-02-28", 1.083), ("2024-02-29", 1.0804)]
    archive = Archive()
    archive.insert(rates={"EUR": 1.0, "USD": 1.08}, history=days, last=days[-1])
    print("written to", archive.save("published", name="rates_of_today", force=True))
    program = "import sys; sys.path.insert(0, 'published'); import rates_of_today as r; "
    program += "print(r.last, len(r.history))"
    command = [sys.executable, "-I", "-S", "-c", program]  # with no packages but Python's own
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    print("imported without this library:", said.strip())
    assert said.strip() == f"{days[-1]} 2"
