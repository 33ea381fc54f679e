"""Search the docstrings of Python's own standard library, by words and ranked.

The index is kept in a file: a second run reads only the modules that changed, which is none.

    python examples/search_texts.py [WORDS...]
"""

import ast
import sys
import sysconfig

from holdall import FileDirStore
from holdall.search import SearchStore


def docstring(source: str) -> str:
    """Return what a module says of itself."""
    try:
        return ast.get_docstring(ast.parse(source)) or ""
    except SyntaxError:
        return ""


if __name__ == "__main__":
    words = " ".join(sys.argv[1:]) or "temporary files"
    library = FileDirStore(
        sysconfig.get_paths()["stdlib"], serializer="text", keys="{}.py", max_levels=1, read_only=True
    )
    with SearchStore(library, "docstrings.db", text=docstring) as search:
        print(f"{search.update()} modules read")
        for found in search(words, limit=5):
            print(f"{found.key:12} {found.score:5.2f}  {' '.join(found.snippet.split())}")
        assert search(words), "nothing was found"
