"""HTML in which all text is escaped, as it can be made in no other way."""

import html
from typing import Final

__all__ = ["STYLE", "Markup", "element", "page"]

STYLE: Final = """\
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; }
header { align-items: baseline; display: flex; flex-wrap: wrap; gap: 1rem; justify-content: space-between; }
h1 { font-size: 1.15rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8884; padding: .2rem .8rem .2rem 0; text-align: left; }
td { overflow-wrap: anywhere; vertical-align: top; }
.number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.wide { overflow-x: auto; }
pre { background: #8882; overflow-x: auto; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
img { background: repeating-conic-gradient(#8882 0 25%, #fff2 0 50%) 0 / 16px 16px; max-width: 100%; }
.note { color: #777; }
input { font: inherit; min-width: 16rem; }
button { font: inherit; }
"""


class Markup(str):
    """HTML made by `element`; any other text is escaped where it is inserted."""

    __slots__ = ()


def element(tag: str, *children: str | None, **attributes: str) -> Markup:
    """Return an element.

    Parameters
    ----------
    tag
        Its name.
    *children
        Its content: `Markup` unchanged, text escaped; None is left out.
    **attributes
        Its attributes, escaped; ``class_`` means ``class``.

    Examples
    --------
    >>> element("p", "a < b ", element("b", "&"), class_='"')
    '<p class="&quot;">a &lt; b <b>&amp;</b></p>'
    """
    inside = "".join(
        child if type(child) is Markup else html.escape(child) for child in children if child is not None
    )
    named = "".join(f' {name.rstrip("_")}="{html.escape(value)}"' for name, value in attributes.items())
    if tag in ("img", "input", "link", "meta"):
        return Markup(f"<{tag}{named}>")
    return Markup(f"<{tag}{named}>{inside}</{tag}>")


def page(title: str, *body: str | None, query: str = "") -> Markup:
    """Return a whole page, with the name of the store and a search field."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width"),
        element("title", title),
        element("link", rel="stylesheet", href="style.css"),
    )
    form = element(
        "form",
        element("input", name="q", value=query, placeholder="part of a key, or a pattern with *"),
        " ",
        element("button", "Search"),
        action="./",
        role="search",
    )
    header = element("header", element("h1", element("a", title, href="./")), form)
    shown = element("html", head, element("body", header, element("main", *body)), lang="en")
    return Markup("<!doctype html>\n" + shown)
