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
    if len(data) < 20_000 and b'\\ud' not in data.lower() and b'\\/' not in data:
        # a few lines are read before json were imported; what it escapes otherwise than Python is left to it
        names = {'true': True, 'false': False, 'null': None, 'NaN': float('nan'), 'Infinity': float('inf')}
        read = lambda line: eval(line.strip(), {'__builtins__': {}}, names)
    else:
        from json import loads as read
    info = {}
    for line in data.split(b'\n')[:-1]:  # what follows the last line end is still being written
        record = read(line) if line.strip() else {'name': '', 'deleted': 0}
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
