"""A folder of files that others made, each read as its suffix says, and changed without harm to the rest.

python examples/mixed_folder.py [FOLDER]
"""

import sys
from pathlib import Path

from holdall import FileDirStore

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "mixed")
    if not folder.exists():
        folder.mkdir()
        (folder / "config.json").write_text('{\n    "debug": false\n}\n')
        (folder / "cities.csv").write_text("name,country\nParis,fr\nBonn,de\n")
        (folder / "100% done?.txt").write_text("Not yet.\n")
    files = FileDirStore(folder, serializer="by_suffix")
    for name in sorted(files):
        print(f"{name:16} {files[name]!r}")
    with files.edit("config.json") as config:
        config["debug"] = True
    print((folder / "config.json").read_text())
    assert (folder / "config.json").read_text().startswith('{\n    "debug": true')
