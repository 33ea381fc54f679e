"""Keep what was computed: a summary of each module of Python's own standard library.

The folder of the standard library is opened as a read-only store of source texts, as it lies there. For
each module, something worth keeping is computed: how many lines, functions and classes it has, which other
modules it imports, and what its first line of documentation says. The summaries are kept in a folder, a
JSON file each. A second run answers from there.

    python examples/quickstart.py [FOLDER]
"""

import ast
import sys
import sysconfig
import time
from typing import Any

import holdall

LARGEST = 5


def summarize(source: str) -> dict[str, Any]:
    """Tell what is worth knowing of a module without reading it again."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    imports = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imports |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) if node.module}
    lines = (ast.get_docstring(tree) or "").splitlines()
    return {
        "lines": source.count("\n"),
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "imports": sorted(imports),
        "about": lines[0] if lines else "",
    }


def main(folder: str) -> None:
    """Summarize what is not summarized yet, and show the largest modules."""
    started = time.perf_counter()
    sources: holdall.FileDirStore[str, str] = holdall.FileDirStore(
        sysconfig.get_path("stdlib"),
        serializer="text",
        suffix=".py",
        max_levels=1,
        read_only=True,
    )
    summaries: holdall.FileDirStore[str, dict[str, Any]] = holdall.FileDirStore(folder, serializer="json")

    computed = 0
    for name in sources:
        if name not in summaries:
            summaries[name] = summarize(sources[name])
            computed += 1
    largest = sorted(summaries.items(), key=lambda item: -item[1]["lines"])[:LARGEST]
    seconds = time.perf_counter() - started

    print(f"{len(summaries)} modules of {sources.path}")
    print(f"{computed} summaries computed, {len(summaries) - computed} answered from {summaries.path}")
    for name, summary in largest:
        print(f"  {name:12} {summary['lines']:6} lines  {summary['about']}")
    print(f"for example {summaries.file_of(largest[0][0])}")
    print(f"took {seconds:.3f} seconds")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "stdlib-summaries")
