"""Loading pickles without running code."""

import pickle
from typing import Any

_HARMLESS = frozenset({"complex", "bytearray", "range", "set", "frozenset"})


class Harmless(pickle.Unpickler):
    """Load only numbers, text, and containers of these; run no code."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few types that are harmless when they are called."""
        if module == "builtins" and name in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not loaded from here")
