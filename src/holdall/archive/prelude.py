"""Functions that archives contain: fixed text, which readers recognise.

They look up no builtin by name when they run, since a value may have its name.
"""

__all__ = ["ARRAYS", "EXPLAIN", "FORGET", "GLOBALS", "HELPERS", "LAZY", "NEEDS", "RESERVED"]

#: Name -> text, in the order of an archive.
HELPERS: dict[str, str] = {}

#: Name -> helpers that its text calls.
NEEDS: dict[str, tuple[str, ...]] = {
    "_table": ("_extend", "_fill", "_items", "_setstate", "_slots", "_chain")
}

HELPERS["_new"] = "from copyreg import __newobj__ as _new\n"

HELPERS["_new_ex"] = "from copyreg import __newobj_ex__ as _new_ex\n"

HELPERS["_fill"] = """\
def _fill(obj, values, attribute=object.__getattribute__):
    attribute(obj, '__dict__').update(values)
    return obj
"""

HELPERS["_object"] = """\
def _object(cls, values, attribute=object.__getattribute__):
    obj = cls.__new__(cls)
    attribute(obj, '__dict__').update(values)
    return obj
"""

HELPERS["_slots"] = """\
def _slots(obj, values, type=type, setattr=setattr, member=type(type(lambda: 0).__globals__)):
    for name, value in values.items():
        for cls in type(obj).__mro__:
            if type(cls.__dict__.get(name)) is member:
                cls.__dict__[name].__set__(obj, value)
                break
        else:
            setattr(obj, name, value)
    return obj
"""

HELPERS["_setstate"] = """\
def _setstate(obj, state):
    obj.__setstate__(state)
    return obj
"""

HELPERS["_extend"] = """\
def _extend(obj, items, hasattr=hasattr):
    if hasattr(obj, 'extend'):
        obj.extend(items)
    else:
        for item in items:
            obj.append(item)
    return obj
"""

HELPERS["_items"] = """\
def _items(obj, pairs):
    for key, value in pairs:
        obj[key] = value
    return obj
"""

HELPERS["_error"] = """\
def _error(cls, args, builtin=object.__module__):
    for base in cls.__mro__:
        if base.__module__ == builtin:
            error = base.__new__(cls, *args)
            base.__init__(error, *args)
            return error
"""

HELPERS["_chain"] = """\
def _chain(error, cause, context, suppress, base=BaseException):
    base.__cause__.__set__(error, cause)
    base.__context__.__set__(error, context)
    base.__suppress_context__.__set__(error, suppress)
    return error
"""

HELPERS["_table"] = """\
def _table(functions, rows, builtins=__import__('builtins')):
    b = builtins
    many = b.list
    values = []
    def get(slot):
        if slot.__class__ is many:
            return functions[slot[1]] if slot[0] == 'f' else values[slot[0]]
        return slot
    def all(row, start):
        return [get(slot) if slot.__class__ is many else slot for slot in row[start:]]
    def pairs(row, start):
        slots = all(row, start)
        return b.zip(slots[::2], slots[1::2])
    def base64(row):
        return __import__('base64').b64decode(''.join(row[1:]))
    make = {
        'json': lambda row: row[1],
        'list': lambda row: all(row, 1),
        'tuple': lambda row: b.tuple(all(row, 1)),
        'set': lambda row: b.set(all(row, 1)),
        'frozenset': lambda row: b.frozenset(all(row, 1)),
        'dict': lambda row: b.dict(pairs(row, 1)),
        'bytes': lambda row: row[1].encode('latin-1'),
        'base64': base64,
        'int': lambda row: b.int(row[1], 16),
        'complex': lambda row: b.complex(row[1], row[2]),
        'call': lambda row: get(row[1])(*all(row, 2)),
        'apply': lambda row: get(row[1])(*get(row[2]), **get(row[3])),
        'object': lambda row: _fill((cls := get(row[1])).__new__(cls), pairs(row, 2)),
        'extend': lambda row: get(row[1]).extend(all(row, 2)),
        'update': lambda row: get(row[1]).update(pairs(row, 2)),
        'add': lambda row: get(row[1]).update(all(row, 2)),
        'fill': lambda row: _fill(get(row[1]), pairs(row, 2)),
        'slots': lambda row: _slots(get(row[1]), b.dict(pairs(row, 2))),
        'setstate': lambda row: _setstate(get(row[1]), get(row[2])),
        'append': lambda row: _extend(get(row[1]), all(row, 2)),
        'items': lambda row: _items(get(row[1]), pairs(row, 2)),
        'chain': lambda row: _chain(*all(row, 1)),
        'set by': lambda row: get(row[1])(get(row[2]), get(row[3])),
    }
    for row in rows:
        values.append(make[row[0]](row))
    return values
"""

HELPERS["_ndarray"] = """\
def _ndarray(data, dtype, shape, order='C'):
    import numpy
    if not data:
        return numpy.empty(shape, dtype, order)
    if data.__class__ is b''.__class__:
        flat = numpy.frombuffer(data, dtype).copy()
    else:
        flat = numpy.empty(shape, dtype)
        flat[...] = data
        return flat.copy(order)
    return flat.reshape(shape, order=order)
"""

HELPERS["_cast"] = """\
def _cast(array, dtype, cls=None):
    if dtype is not None:
        array = array.view(dtype)
    return array if cls is None else array.view(cls)
"""

HELPERS["_view"] = """\
def _view(base, dtype, shape, strides, offset):
    import numpy
    if not base.flags.c_contiguous:
        base = base.T
    return numpy.ndarray(shape, dtype, base, offset, strides)
"""

HELPERS["_readonly"] = """\
def _readonly(array):
    array.flags.writeable = False
    return array
"""

HELPERS["_masked"] = """\
def _masked(data, mask, fill, hard, cls):
    import numpy
    array = numpy.ma.MaskedArray(data, numpy.ma.nomask if mask is False else mask, hard_mask=hard)
    if fill is not None:
        array.fill_value = fill
    return array if array.__class__ is cls else array.view(cls)
"""

HELPERS["_restore"] = """\
def _restore(array, dtype, shape, order='C'):
    if dtype is not None:
        array = array.view(dtype)
    return array.reshape(shape, order=order)
"""

HELPERS["_objects"] = """\
def _objects(items, dtype, shape, order='C', enumerate=enumerate):
    import numpy
    array = numpy.empty(items.__len__(), dtype)
    for index, item in enumerate(items):
        array[index] = item
    return numpy.asarray(array.reshape(shape), order=order)
"""

HELPERS["_scalar"] = """\
def _scalar(data, dtype):
    import numpy
    return numpy.frombuffer(data, dtype)[0]
"""

HELPERS["_frame"] = """\
def _frame(columns, index, names, dict=dict, enumerate=enumerate):
    import pandas
    series = [pandas.Series(column, index=index, dtype=column.dtype) for column in columns]
    frame = pandas.DataFrame(dict(enumerate(series)), index=index)
    frame.columns = names
    return frame
"""

#: Names that values cannot have.
RESERVED = frozenset(HELPERS) | {"_Arrays", "_lazy", "_explain", "_scope", "_globals", "_name", "_problem"}

# ------------------------------------------------------------------ blocks of saved modules

#: The dict of the module, whatever names it has.
GLOBALS = "from builtins import globals as _globals\n"

#: Removes the names of the text before `importlib.reload`.
FORGET = """\
for _name in _globals().get('__all__', ()):
    _globals().pop(_name, None)
"""

_ARRAYS = """\
class _Arrays(dict):
    def __init__(self, path, mmap):
        self.path, self.mmap = path, mmap

    def __missing__(self, name):
        from os.path import abspath, dirname, join
        array = self[name] = self.load(join(dirname(abspath(__file__)), self.path), name)
        return array

"""

#: Format -> the dict that loads arrays on access.
ARRAYS = {
    "npy": _ARRAYS
    + """\
    def load(self, path, name):
        import numpy
        path, options = f'{path}/{name}.npy', {'allow_pickle': False, 'max_header_size': 10**7}
        if self.mmap:
            try:
                return numpy.load(path, mmap_mode='c', **options).view(numpy.ndarray)
            except ValueError:
                pass
        return numpy.load(path, **options)
""",
    "npz": _ARRAYS
    + """\
    def load(self, path, name):
        import numpy
        with numpy.load(path, allow_pickle=False, max_header_size=10**7) as arrays:
            return arrays[name]
""",
    "hdf5": _ARRAYS
    + """\
    def load(self, path, name):
        import h5py
        import numpy
        with h5py.File(path, 'r', locking=False) as file:
            stored = file[name]
            start = stored.id.get_offset()
            if self.mmap and start is not None and stored.size:
                return numpy.memmap(path, stored.dtype, 'c', start, stored.shape).view(numpy.ndarray)
            return stored[()]
""",
}

#: Makes values that need arrays on access. `_lazy` has the function for each name.
LAZY = """\
def __getattr__(
    name, lazy=_lazy, values=_globals(), lock=__import__('threading').RLock(), error=AttributeError
):
    if name not in lazy:
        if name in values:
            return values[name]
        raise error(f'module {__name__!r} has no attribute {name!r}')
    with lock:
        if name in lazy:
            for other, value in lazy[name]().items():
                values.setdefault(other, value)
                lazy.pop(other, None)
    return values[name]


def __dir__(values=_globals()):
    names = [*{*values, *__all__}]
    names.sort()
    return names
"""

#: Reports the versions with which the archive was saved, if its values cannot be made.
EXPLAIN = """\
def _explain(error, saved, ImportError=ImportError):
    import importlib.metadata
    import platform
    here = []
    for name, version in saved.items():
        try:
            now = platform.python_version() if name == 'Python' else importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            now = 'none'
        here.append(f'saved with {name} {version}, running {name} {now}')
    return ImportError(f"{__name__} cannot be loaded: {error} ({'; '.join(here)})")
"""
