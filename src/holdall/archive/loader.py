"""Source that loads separately saved arrays."""

import os

__all__ = ["loader_source"]


def loader_source(dict_name: str, path: str, names: list[str], kind: str) -> str:
    """Return source that loads saved arrays into a dict."""
    if kind == "npy":
        files = [os.path.join(path, f"{name}.npy") for name in names]
        lines = [
            f"    {name!r}: _load({file!r}, max_header_size=10**7),\n"
            for name, file in zip(names, files, strict=True)
        ]
        return f"from numpy import load as _load\n{dict_name} = {{\n{''.join(lines)}}}\ndel _load\n"
    if kind == "npz":
        return (
            f"from numpy import load as _load\n{dict_name} = dict(_load({path!r}, max_header_size=10**7))\n"
            "del _load\n"
        )
    return (
        f"from h5py import File as _File\nwith _File({path!r}, 'r', locking=False) as _file:\n"
        f"    {dict_name} = {{_name: _data[...] for _name, _data in _file.items()}}\ndel _File, _file\n"
    )
