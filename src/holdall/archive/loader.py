"""Source that loads separately saved arrays."""

import os

__all__ = ["loader_source"]


def loader_source(dict_name: str, path: str, names: list[str], kind: str) -> str:
    """Return source that loads saved arrays into a dict."""
    if kind == "npy":
        lines = [f"    {name!r}: _load({os.path.join(path, name + '.npy')!r}),\n" for name in names]
        return f"from numpy import load as _load\n{dict_name} = {{\n{''.join(lines)}}}\ndel _load\n"
    if kind == "npz":
        return f"from numpy import load as _load\n{dict_name} = dict(_load({path!r}))\ndel _load\n"
    return (
        f"from h5py import File as _File\nwith _File({path!r}, 'r', locking=False) as _file:\n"
        f"    {dict_name} = {{_name: _data[()] for _name, _data in _file.items()}}\ndel _File, _file\n"
    )
