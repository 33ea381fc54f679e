# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
__all__ = ['key_runs_2f_7']
key_runs_2f_7 = {'a': None}
import sys as _name
_name.modules[__name__] = key_runs_2f_7
