"""Read archives that were changed at random, and report what happened that must not.

Run as ``python mutated.py folder seed count``, with the folder of the tests. An audit hook, which cannot be
removed, hears of every import, file, process and call of exec of the interpreter.
"""

import json
import random
import re
import sys
import warnings

STRANGE = [
    "eval",
    "exec",
    "open",
    "__import__",
    "getattr",
    "os",
    "system",
    "subprocess",
    "compile",
    "globals",
    "input",
    "breakpoint",
    "print",
    "type",
    "object",
    "numpy",
    "load",
    "memmap",
    "fromfile",
    "ctypes",
    "__builtins__",
    "__class__",
    "x",
    "value",
    "_fill",
    "_new",
    "_table",
    "json",
    "loads",
    "sys",
    "modules",
    "setattr",
    "vars",
    "memoryview",
    "partial",
    "reduce",
    "Path",
    "ZoneInfo",
    "dtype",
    "array",
    "frombuffer",
    "core",
    "testing",
    "ndarray",
    "tofile",
    "_globals",
    "1",
    "'a'",
    "[]",
    "(1,)",
    "{}",
    "-1",
    "10**9",
    "999999999999",
]
WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|\d+|'[^'\n]*'")
HARMLESS = {"compile", "array.__new__", "builtins.id"}  # nothing outside of the interpreter


def change(text, chance):
    """Change a text in a few places."""
    for _ in range(chance.randint(1, 4)):
        words = list(WORD.finditer(text))
        if not words:
            return text
        word, how = chance.choice(words), chance.random()
        at = chance.randrange(len(text))
        if how < 0.6:
            text = text[: word.start()] + chance.choice(STRANGE) + text[word.end() :]
        elif how < 0.75:
            text = text[: word.start()] + chance.choice(words)[0] + text[word.end() :]
        elif how < 0.85:
            text = text[:at] + chance.choice("()[]{}.,:='\"\n \\*|-+@r") + text[at:]
        elif how < 0.95:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
        else:
            text = text[:at] + text[at + chance.randint(1, 20) :]
    return text


def main(folder, seed, count):
    sys.path.insert(0, folder)
    warnings.simplefilter("ignore")
    from archive import cases
    from holdall.archive import Archive, loads
    from holdall.errors import SerializationError

    texts = []
    for name, make in {**cases.CASES, **cases.ARRAYS}.items():
        if name.startswith(("big", "deep", "frames", "series", "sparse", "uncertain", "zones")):
            continue
        archive = Archive(scoped=len(name) % 2 == 0)
        archive.insert(value=make())
        texts.append(str(archive))
    for text in texts:  # so that all modules that may be imported are
        try:
            loads(text)
        except SerializationError:
            continue
    heard, wrong, reading = set(), set(), False

    def hear(event, arguments):
        # Python looks for the file of a text that is no Python, to show the line
        if reading and event not in HARMLESS and arguments[:1] != ("<unknown>",):
            heard.add(f"{event} {arguments}"[:200])

    sys.addaudithook(hear)
    chance = random.Random(seed)
    n_read = 0
    for _ in range(count):
        text = change(chance.choice(texts), chance)
        reading = True
        try:
            loads(text)
            n_read += 1
        except SerializationError:
            pass
        except BaseException as error:
            wrong.add(repr(error)[:200])
        finally:
            reading = False
    sys.stdout.write(json.dumps([n_read, sorted(heard), sorted(wrong)]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
