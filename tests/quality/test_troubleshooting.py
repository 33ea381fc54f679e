"""The page on errors quotes messages that holdall has, and knows every class of error."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from holdall import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
GAP = "\0"  # what stands in a message where something is filled in
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
QUOTED = [
    quoted
    for title, text in SECTIONS.items()
    if title.startswith("`") or title == "Warnings"
    for quoted in re.findall(r"^\| `(.+?)` \|", text, re.MULTILINE)
]


@cache
def _messages():
    """Return all text in the sources, whatever is filled in left out."""
    found = set()
    for path in Path(errors.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else GAP for part in node.values]
                found.add("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_class_of_errors_has_its_section():
    known = {f"`{name}`" for name in errors.__all__} - {"`HoldallError`"}
    assert {title for title in SECTIONS if title.startswith("`")} == known
    assert all("\n| message |" in SECTIONS[title] for title in known)


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_message_that_is_quoted_is_one_of_ours(quoted):
    """A `…` stands for one thing or more that are filled in."""
    pattern = re.compile(f"{GAP}.*".join(map(re.escape, quoted.replace("\\|", "|").split("…"))), re.DOTALL)
    assert len(quoted) > 10
    assert any(pattern.search(message) for message in _messages())
