# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
__all__ = ['plain']
plain = [1, (2,)]
import sys as _name
_name.modules[__name__] = plain
