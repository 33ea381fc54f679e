"""A process for a tracer to disturb: it opens a store, waits, and does what it is told, a line a step.

``python -m processes._victim PATH DURABILITY``; each line of input is a statement about ``store``, each
answer a line: ``ok``, or the class, number and text of the error.
"""

import os
import sys

from holdall import FileDirStore


def main():
    """Obey until the input ends."""
    path, durability = sys.argv[1:]
    store = FileDirStore(path, serializer="bytes", suffix=".bin", durability=durability)
    store["x"] = b"old"
    store["a/x"] = b"old"
    os.write(1, b"ready\n")
    for line in sys.stdin:
        try:
            exec(line, {"store": store})
        except OSError as error:
            answer = f"{type(error).__name__} {error.errno} {error}"
        else:
            answer = "ok"
        os.write(2, answer.encode() + b"\n")


if __name__ == "__main__":
    main()
