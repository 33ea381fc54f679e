"""What the annotations of functions and classes say."""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

from holdall.memo._home import title_of

__all__ = ["annotations_of", "classes_in", "spelled"]

_NAMES = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def annotations_of(thing: Any) -> dict[str, Any]:
    """Return the annotations of a function or class, without those of its bases; none if they fail."""
    try:
        return _annotations(thing)
    except Exception:  # of their code, or they are no dict
        return {}


def _annotations(thing: Any) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib  # noqa: PLC0415  (only there)

        return annotationlib.get_annotations(thing, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(thing)


def classes_in(annotation: Any, scope: dict[str, Any]) -> Iterator[type]:
    """Yield the classes in an annotation, which may be text that names them in a scope."""
    if isinstance(annotation, str):
        for name in _NAMES.findall(annotation):
            first, *others = name.split(".")
            found = scope.get(first)
            for other in others:
                found = getattr(found, other, None)
            if isinstance(found, type):
                yield found
    elif isinstance(parts := getattr(annotation, "__args__", None), tuple):
        for part in parts:
            yield from classes_in(part, scope)
    elif isinstance(annotation, type):
        yield annotation


def spelled(annotation: Any) -> str:
    """Return an annotation as text, the same in every process."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(parts := getattr(annotation, "__args__", None), tuple):
        origin = getattr(annotation, "__origin__", type(annotation))
        return f"{spelled(origin)}[{', '.join(map(spelled, parts))}]"
    if isinstance(annotation, type):
        return title_of(annotation)
    return _ADDRESS.sub("", repr(annotation))
