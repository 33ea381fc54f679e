"""Sphinx configuration: Markdown pages, autodoc for the reference, no network."""

import re
from typing import Any

from holdall import __version__

project = "holdall"
author = "The holdall developers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "py:obj"  # docstrings name things in single backquotes
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"holdall {release}"

# Types in signatures that have no entry of their own: type variables, and names of one module's own.
nitpick_ignore_regex = [
    ("py:class", "BaseWrapper"),
    ("py:.*", r"(holdall\..*\.)?~?[A-Z]"),
    ("py:class", r"holdall\.(store\._typing|wrappers\._\w+|wrappers\._bounded\._ledger)\.\w+"),
    ("py:class", r"holdall\.(memo\._decorator|serializers\.suffix)\.\w+"),
]


def resolve(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Find what docstrings name in short, such as `edit` or `SQLiteStore`; leave the rest to be reported.

    What is no class and no name of holdall's is a parameter, or from elsewhere: it is shown as it stands.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    domain = env.domains["py"]
    found = domain.find_obj(env, None, None, target.removesuffix("()"), None, 1)
    if found:
        first = min(found, key=lambda match: (not match[0].startswith("holdall.Store."), len(match[0])))
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", first[0], node, content)
    ours = target.startswith("holdall.") or re.fullmatch("[A-Z][a-z]+[A-Z]\\w+", target)
    return None if ours else content


def setup(app: Any) -> None:
    """Let Sphinx ask `resolve`."""
    app.connect("missing-reference", resolve)
