# An archive of Python objects: import it, or read and edit it as text.
# fmt: off
# ruff: noqa
def _again(problem, path=__file__, values=globals(), open=open, compile=compile, exec=exec):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    if text == values.get('_text'):
        raise problem
    values['_text'] = text
    exec(compile(text, path, 'exec'), values)
try:
    __all__ = ['large']
    class _Arrays(dict):
        def __init__(self, path, mmap):
            self.path, self.mmap = path, mmap
        def __missing__(self, name):
            from os.path import abspath, dirname, join
            array = self[name] = self.load(join(dirname(abspath(__file__)), self.path), name)
            return array
        def load(self, path, name):
            import numpy
            path, options = f'{path}/{name}.npy', {'allow_pickle': False, 'max_header_size': 10**7}
            if self.mmap:
                try:
                    return numpy.load(path, mmap_mode='c', **options).view(numpy.ndarray)
                except ValueError:
                    pass
            return numpy.load(path, **options)
    _arrays = _Arrays('large_data', False)
    large = _arrays['array_0']
    del _arrays, _Arrays
    import sys as _name
    _name.modules[__name__] = large
except (OSError, ImportError) as _problem:
    _again(_problem)
# arrays written so far: 1
