"""The name of a function in a store, which no other function has by accident."""

import os
import sys
from hashlib import blake2b
from typing import Any

from holdall._shown import shown
from holdall.memo._encoder import Encoder
from holdall.memo._project import MAIN, file_of_module, label_of, project_of
from holdall.memo._version import code_of

__all__ = ["Name"]


class Name:
    """The name of a function.

    Parameters
    ----------
    function
        The function.

    Notes
    -----
    It is the name of its project, of its module in that, and its qualified name; for a nameless function,
    also a digest of its code. Installed functions have no project: names of modules are unique there.
    """

    def __init__(self, function: Any) -> None:
        self._module = getattr(function, "__module__", None) or ""
        self._qualified = getattr(function, "__qualname__", None)
        if not isinstance(self._qualified, str):
            raise TypeError(f"{shown(function)} has no name to find its results by")
        if self._qualified.endswith("<lambda>") and hasattr(function, "__code__"):
            encoder = Encoder(typed=True)
            code_of(function.__code__, encoder)
            digest = blake2b(b"".join(encoder.out), digest_size=8).hexdigest()
            self._qualified += digest
        # Absolute, since the current folder may change later.
        self._folder = os.getcwd() if self._module in MAIN or not self._module else None
        self._whole: str | None = None

    def __str__(self) -> str:
        """Return the name of the function for people."""
        return f"{self._module}.{self._qualified}"

    def whole(self) -> str:
        """Return the name in the store."""
        if self._whole is None:
            module = sys.modules.get(self._module)
            file = None if module is None else file_of_module(module)
            folder = self._folder if file is None else os.path.dirname(file)
            label = self._module if module is None else label_of(module)
            project = "" if folder is None else project_of(os.path.realpath(folder)).name
            self._whole = f"{project}+{label}.{self._qualified}" if project else f"{label}.{self._qualified}"
        return self._whole
