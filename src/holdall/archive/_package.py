"""The package of a data set: a folder that Python imports, on machines without holdall too."""

import os
import shutil

from holdall.archive._files import translating, unfinished_path
from holdall.archive._info import LOG_NAME
from holdall.errors import MismatchError

__all__ = ["AGAIN", "INIT", "MARKER", "is_data_set", "make_package"]

#: The file that marks the folder as a data set: empty, or with the number of its format if that is not 1.
MARKER = "_this_dir_is_a_DataSet"

#: The text of ``__init__.py``. It never changes, so its byte code is never out of date.
INIT = '''\
# fmt: off
# ruff: noqa
"""A data set: each item is a module of this package, and is loaded when it is imported.

`_info_dict` has the metadata of all items, as _info.jsonl beside this file records them.
importlib.reload() of this package forgets the items that were imported, so that they can be
imported anew; it imports them anew itself if `_reload_items` of the package is set to True.
"""


def _load(namespace):
    import os, sys

    path = os.path.join(os.path.dirname(namespace['__file__']), '_info.jsonl')
    data = namespace['__spec__'].loader.get_data(path)
    if len(data) < 20_000 and b'\\\\ud' not in data.lower() and b'\\\\/' not in data:
        # a few lines are read before json were imported; what it escapes otherwise than Python is left to it
        names = {'true': True, 'false': False, 'null': None, 'NaN': float('nan'), 'Infinity': float('inf')}
        read = lambda line: eval(line.strip(), {'__builtins__': {}}, names)
    else:
        from json import loads as read
    info = {}
    lines = data.split(b'\\n')
    for number, line in enumerate(lines, 1):
        try:
            record = read(line) if line.strip() else {'name': '', 'deleted': 0}
        except Exception:
            if number < len(lines):
                raise
            break  # it is still being written
        name = record['name']
        if 'deleted' in record:
            info.pop(name, None)
        elif 'info' in record:
            info[name] = record['info']
        else:
            scope = {}
            exec(record['source'], scope)
            info[name] = scope['info']
    prefix = namespace['__name__'] + '.'
    imported = [module for module in sys.modules if module.startswith(prefix)]
    for module in imported:
        del sys.modules[module]
        namespace.pop(module[len(prefix):], None)
    namespace['_info_dict'] = info
    if namespace.get('_reload_items'):
        from importlib import import_module, invalidate_caches

        invalidate_caches()
        for module in imported:
            if module[len(prefix):] in info:
                import_module(module)


_load(globals())
del _load
'''


#: Reads a module again whose arrays were replaced after its text was read. Its text is in a ``try``.
AGAIN = """\
def _again(problem, path=__file__, values=globals(), open=open, compile=compile, exec=exec):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if text == values.get('_text'):
        raise problem
    values['_text'] = text
    exec(compile(text, path, 'exec'), values)
"""


def is_data_set(folder: str) -> bool:
    """Return whether a folder is a data set; raise MismatchError if persist or a later version wrote it."""
    try:
        with open(os.path.join(folder, MARKER), "rb") as file:
            format = file.read(20).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if format.isdigit() and format != "1":
        raise MismatchError(
            f"{folder!r} has format {format}, this version of holdall reads 1: update holdall"
        ).about(location=folder)
    if _is_of_persist(folder):
        raise MismatchError(
            f"{folder!r} is a data set without {LOG_NAME}, as persist writes them: import it and insert its"
            " items into a new DataSet, as docs/howto/datasets.md shows under 'Take over what persist wrote'"
        )
    return True


def _is_of_persist(folder: str) -> bool:
    """Return whether the package itself contains its metadata, as persist's do."""
    if os.path.exists(os.path.join(folder, LOG_NAME)):
        return False
    try:
        with open(os.path.join(folder, "__init__.py"), "rb") as file:
            return LOG_NAME.encode() not in file.read()
    except OSError:
        return False


def make_package(folder: str) -> bool:
    """Make an empty data set, as a whole or not at all; return False if there is something already.

    An empty folder counts as nothing.
    """
    with translating(folder, "the data set cannot be made"):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        unfinished = unfinished_path(folder)
        os.mkdir(unfinished)
        try:
            for file, text in ((LOG_NAME, ""), ("__init__.py", INIT), (MARKER, "")):
                with open(os.path.join(unfinished, file), "x", encoding="ascii", newline="\n") as opened:
                    opened.write(text)
            try:
                os.rename(unfinished, folder)
            except OSError:
                if os.path.isdir(folder) and os.listdir(folder):
                    return False
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return True
