# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
__all__ = ['key_class']
key_class = 'x'
import sys as _name
_name.modules[__name__] = key_class
