"""The codec that a store was made with, from the text in its metadata."""

import ast
from typing import Any

from holdall import keys
from holdall.abc import KeyCodec
from holdall.errors import InvalidArgumentError

__all__ = ["codec_of"]


def codec_of(text: Any) -> KeyCodec[Any] | None:
    """Return the codec with the `repr` given; None if the text is not enough to make it.

    Parameters
    ----------
    text
        The text: calls of the codecs of `holdall.keys` with literals as arguments, joined by ``|``.

    Examples
    --------
    >>> codec_of("AnyKeys() | PathKeys(suffix='.json')").encode(1)
    '!1.json'
    >>> codec_of("as_key_codec((mine.encode, mine.decode))")
    """
    try:
        return _codec(ast.parse(text, mode="eval").body)
    except (InvalidArgumentError, SyntaxError, TypeError, ValueError, RecursionError):
        return None


def _codec(node: ast.expr) -> KeyCodec[Any]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _codec(node.left) | _codec(node.right)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise TypeError(ast.dump(node))
    kind = getattr(keys, node.func.id, None) if node.func.id in keys.__all__ else None
    if not isinstance(kind, type) or not issubclass(kind, KeyCodec):
        raise TypeError(node.func.id)
    options = {str(option.arg): _argument(option.value) for option in node.keywords}
    made: KeyCodec[Any] = kind(*map(_argument, node.args), **options)
    return made


def _argument(node: ast.expr) -> Any:
    return _codec(node) if isinstance(node, ast.Call | ast.BinOp) else ast.literal_eval(node)
