# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
__all__ = ['run']
run = 'text'
import sys as _name
_name.modules[__name__] = run
