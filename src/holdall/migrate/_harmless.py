"""Loading pickles without running anything."""

import pickle
from typing import Any

_HARMLESS = frozenset({"complex", "bytearray", "range", "set", "frozenset"})


class Harmless(pickle.Unpickler):
    """Loads what is built of numbers, text, and containers of such, and runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Give one of the few types that do nothing when they are called."""
        if module == "builtins" and name in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not loaded from here")
