# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
__all__ = ['key__a80dbe2145dcc90e2ad8e6f18a7c51f3bab8bd6b']
key__a80dbe2145dcc90e2ad8e6f18a7c51f3bab8bd6b = 1.5
import sys as _name
_name.modules[__name__] = key__a80dbe2145dcc90e2ad8e6f18a7c51f3bab8bd6b
