"""How keys are named: the codecs between the keys of a store and the ids of its persister.

`PathKeys` names files, `AnyKeys` tells ``1`` from ``"1"``, `Digest` makes short names that cannot be
read back, `Template` makes names of fields; `Prefix`, `Suffix` and `Under` change a part of a name.
``first | second`` names keys by the first and what results by the second. Codecs are values:
frozen, comparable, picklable, and shown with every option that differs from its default, because a
store records how it was made.
"""

from holdall.keys.adapt import as_key_codec
from holdall.keys.affix import Prefix, Suffix
from holdall.keys.digest import Digest
from holdall.keys.literal import AnyKeys
from holdall.keys.path import PathKeys
from holdall.keys.template import Template
from holdall.keys.view import IdentityKeys, Under

__all__ = [
    "AnyKeys",
    "Digest",
    "IdentityKeys",
    "PathKeys",
    "Prefix",
    "Suffix",
    "Template",
    "Under",
    "as_key_codec",
]
