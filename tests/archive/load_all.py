"""Run in a fresh interpreter: imports archives, and prints what differs from the values they were made of."""

import importlib
import json
import os
import sys
import traceback


def main():
    tests, folder, table, *blocked = sys.argv[1:]
    sys.path[:0] = [folder, tests]
    for name in blocked:
        sys.modules[name] = None
    from archive import cases, compare

    differences = {}
    names = {name.partition(".")[0] for name in os.listdir(folder) if name.startswith("case_")}
    modules = sorted(name for name in names if not name.endswith("_arrays"))
    for module in modules:
        case = module.removeprefix("case_").rpartition("__")[0]
        try:
            value = importlib.import_module(module).value
            difference = compare.difference(value, getattr(cases, table)[case]())
        except Exception:
            difference = traceback.format_exc()
        if difference:
            differences[module] = difference
    sys.stdout.write(json.dumps([len(modules), differences]))


if __name__ == "__main__":
    main()
