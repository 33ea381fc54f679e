"""How keys are named: the codecs between the keys of a store and the ids of its persister.

`PathKeys` names files, `AnyKeys` keeps ``1`` and ``"1"`` apart, `Digest` makes short names that cannot be
read back, `Template` makes names from fields, `MappedKeys` takes them from a table; `Prefix`, `Suffix` and
`Under` change a part of a name. ``first | second`` names keys by the first and the result by the second.
Codecs are values: frozen, comparable, picklable, and shown with every option that differs from its default,
because a store records how it was made.
"""

from typing import TYPE_CHECKING

from holdall._lazy import on_first_use
from holdall.keys.adapt import as_key_codec
from holdall.keys.path import PathKeys
from holdall.keys.view import IdentityKeys, Under

if TYPE_CHECKING:
    from holdall.keys.affix import Prefix, Suffix
    from holdall.keys.digest import Digest
    from holdall.keys.literal import AnyKeys
    from holdall.keys.mapped import MappedKeys
    from holdall.keys.template import Template

__all__ = [
    "AnyKeys",
    "Digest",
    "IdentityKeys",
    "MappedKeys",
    "PathKeys",
    "Prefix",
    "Suffix",
    "Template",
    "Under",
    "as_key_codec",
]

# Imported on first use: not every store needs them.
_LAZY = {
    "AnyKeys": "holdall.keys.literal",
    "Digest": "holdall.keys.digest",
    "MappedKeys": "holdall.keys.mapped",
    "Prefix": "holdall.keys.affix",
    "Suffix": "holdall.keys.affix",
    "Template": "holdall.keys.template",
}

__getattr__, __dir__ = on_first_use(__name__, _LAZY)
