"""Settings of a notebook: one readable JSON file, of which others may change other settings at the same time.

Defaults stay in the code, and only what was changed is in the file. The parts below are what the cells of a
notebook would be; run them again, in the same kernel or a new one, and the settings are there.

    python examples/notebook_settings.py [SETTINGS.json]
"""

import sys
from pathlib import Path
from typing import Any

from holdall.stores.document import DocumentStore
from holdall.wrappers import overlay

DEFAULTS = {"plot/size": 4.0, "plot/style": "dark", "recent": []}

if __name__ == "__main__":
    # The first cell: `/` leads into the tables of the file, as in {"plot": {"size": 4.0}}.
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "settings.json")
    file: DocumentStore[str, Any] = DocumentStore(path)
    settings = overlay(file, DEFAULTS)
    print("at first:", dict(settings))

    # Another cell changes some. It is in the file when the line is done: there is nothing to save.
    settings["plot/size"] = 6.5
    settings.get_subdict("plot").update(style="light", grid=True)
    with settings.edit("recent") as recent:  # what is changed in place is stored when the block ends
        recent.append(f"data_{len(recent)}.csv")

    # Somebody with an editor, or another notebook, sees and changes the same file.
    print(path.read_text())
    others: DocumentStore[str, Any] = DocumentStore(path)
    assert dict(others.get_subdict("plot")) == {"size": 6.5, "style": "light", "grid": True}

    # Back to the default of one setting.
    file.discard("plot/style")
    assert settings["plot/style"] == "dark"
    assert DEFAULTS["recent"] == []
