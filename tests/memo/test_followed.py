"""Small projects with an edit, ``«before|after»``: what changes a result is another version, or is listed.

A line ``# aside.py`` begins another file.
"""

import builtins
import importlib
import re
import sys
import textwrap
from unittest.mock import MagicMock, Mock

import pytest

from holdall import memoize

RECOMPUTED = {
    "function attr": """
        def g(): pass
        g.k = «1|2»
        @memoize(place)
        def f(x): return x + g.k
    """,
    "own attr": """
        @memoize(place)
        def f(x): return x + f.k
        f.k = «1|2»
    """,
    "own attr that looks private": """
        @memoize(place)
        def f(x): return x + f._k
        f._k = «1|2»
    """,
    "attr of memoized helper": """
        @memoize(place)
        def g(x): return x
        g.k = «1|2»
        @memoize(place)
        def f(x): return x + g.k
    """,
    "partial attr": """
        import functools
        def g(x): return x
        p = functools.partial(g, 1)
        p.k = «1|2»
        @memoize(place)
        def f(x): return p() + p.k
    """,
    "a name in a text": """
        class G: pass
        def g(): pass
        g.k = «1|2»
        @memoize(place)
        def f(x): return x + getattr(g, 'k')
    """,
    "getattr module const": """
        import aside
        @memoize(place)
        def f(x): return x + getattr(aside, 'K')
        # aside.py
        K = «1|2»
    """,
    "a global in a text": """
        K = «1|2»
        @memoize(place)
        def f(x): return x + globals()['K']
    """,
    "module __dict__": """
        import aside
        @memoize(place)
        def f(x): return x + aside.__dict__['K']
        # aside.py
        K = «1|2»
    """,
    "namespace package": """
        import spaced.y
        @memoize(place)
        def f(a): return a + spaced.y.z
        # spaced/y.py
        z = «1|2»
    """,
    "closure with attr": """
        def make():
            def g(): pass
            g.k = «1|2»
            @memoize(place)
            def f(x): return x + g.k
            return f
        f = make()
    """,
    "self.__class__": """
        class Model:
            K = «1|2»
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return x + self.__class__.K
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "implicit getitem": """
        class Model:
            def __memo_key__(self): return 1
            def __getitem__(self, x): return x + «1|2»
            @memoize(place)
            def run(self, x): return self[x]
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "implicit call": """
        class Base:
            def __call__(self, x): return x + «1|2»
        class Model(Base):
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return self(x)
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "implicit __getattr__": """
        class Model:
            def __memo_key__(self): return 1
            def __getattr__(self, name): return «1|2» if name == 'k' else super().__getattribute__(name)
            @memoize(place)
            def run(self, x): return x + self.k
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "metaclass attr": """
        class Meta(type):
            K = «1|2»
        class Model(metaclass=Meta):
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return x + type(self).K
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "self getattr const": """
        class Model:
            K = «1|2»
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return x + getattr(self, 'K')
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "method attr": """
        class Model:
            def go(self): pass
            go.k = «1|2»
        @memoize(place)
        def f(x): return x + Model.go.k
    """,
    "module function attr": """
        import aside
        @memoize(place)
        def f(x): return x + aside.g.k
        # aside.py
        def g(): pass
        g.k = «1|2»
    """,
    "function attr is function": """
        def h(x): return x + «1|2»
        def g(): pass
        g.k = h
        @memoize(place)
        def f(x): return g.k(x)
    """,
    "function attr of attr": """
        def h(x): return x
        h.j = «1|2»
        def g(): pass
        g.k = h
        @memoize(place)
        def f(x): return x + g.k.j
    """,
    "class decorator": """
        import functools
        class Deco:
            def __init__(self, f):
                functools.update_wrapper(self, f)
                self.f = f
            def __call__(self, x): return self.f(x)
        @Deco
        def g(x): return x + «1|2»
        @memoize(place)
        def f(x): return g(x)
    """,
    "named callable": """
        class Named:
            __name__ = 'n'
            def __init__(self, k): self.k = k
            def __call__(self, x): return x + self.k
        g = Named(«1|2»)
        @memoize(place)
        def f(x): return g(x)
    """,
    "module __getattr__": """
        import aside
        @memoize(place)
        def f(x): return x + aside.K
        # aside.py
        def __getattr__(name): return «1|2»
    """,
    "module __getattr__ calls": """
        import aside
        @memoize(place)
        def f(x): return x + aside.K
        # aside.py
        L = «1|2»
        def __getattr__(name): return L
    """,
    "a dunder of a module": """
        import aside
        @memoize(place)
        def f(x): return x, aside.__version__
        # aside.py
        __version__ = '«1|2»'
    """,
    "doc of function": """
        def g():
            '''«one|two»'''
        @memoize(place)
        def f(x): return x, g.__doc__
    """,
    "doc of class": """
        class G:
            '''«one|two»'''
        @memoize(place)
        def f(x): return x, G.__doc__
    """,
    "doc of module": """
        import aside
        @memoize(place)
        def f(x): return x, aside.__doc__
        # aside.py
        '''«one|two»'''
    """,
    "table of instances": """
        import dataclasses
        @dataclasses.dataclass
        class H:
            k: int
            def run(self, x): return x + self.k + «1|2»
        T = [H(1)]
        @memoize(place)
        def f(x): return T[0].run(x)
    """,
    "nested instance method": """
        import dataclasses
        @dataclasses.dataclass
        class I:
            k: int
            def run(self, x): return x + self.k + «1|2»
        @dataclasses.dataclass
        class H:
            i: I
        T = H(I(1))
        @memoize(place)
        def f(x): return T.i.run(x)
    """,
    "singledispatch by other": """
        import functools
        @functools.singledispatch
        def g(x): return x
        def special(x): return x + K
        K = «1|2»
        g.register(int, special)
        @memoize(place)
        def f(x): return g(x)
    """,
    "singledispatchmethod": """
        import functools
        class A:
            @functools.singledispatchmethod
            def go(self, x): return x
            @go.register
            def _(self, x: int): return x + «1|2»
        @memoize(place)
        def f(x): return A().go(x)
    """,
    "annotations of class": """
        class C:
            n: «in|floa»t
        @memoize(place)
        def f(x): return x, [t.__name__ for t in C.__annotations__.values()]
    """,
    "dataclass fields": """
        import dataclasses
        @dataclasses.dataclass
        class C:
            n: «in|floa»t
        @memoize(place)
        def f(x): return x, [t.type.__name__ for t in dataclasses.fields(C)]
    """,
    "slots class": """
        class C:
            __slots__ = ('«a|b»',)
        @memoize(place)
        def f(x): return x, C.__slots__
    """,
    "a module in a text": """
        import importlib
        @memoize(place)
        def f(x): return x + importlib.import_module('aside').K
        # aside.py
        K = «1|2»
    """,
    "a module in a text, from sys.modules": """
        import sys, aside
        @memoize(place)
        def f(x): return x + sys.modules['aside'].K
        # aside.py
        K = «1|2»
    """,
    "typing alias": """
        import typing
        class A:
            K = «1|2»
        B = typing.Union[A, int]
        @memoize(place)
        def f(x): return x + typing.get_args(B)[0].K
    """,
    "annotated arg": """
        import dataclasses
        @dataclasses.dataclass
        class A:
            k: int
            def run(self, x): return x + «1|2»
        @memoize(place)
        def g(a: A, x): return a.run(x)
        def f(x): return g(A(1), x)
        f.version_info = g.version_info
    """,
    "module in table": """
        import aside
        T = {'a': aside}
        @memoize(place)
        def f(x): return x + T['a'].K
        # aside.py
        K = «1|2»
    """,
    "module passed to helper": """
        import aside
        def h(m): return m.K
        @memoize(place)
        def f(x): return x + h(aside)
        # aside.py
        K = «1|2»
    """,
    "function passed to helper": """
        def g(): pass
        g.k = «1|2»
        def h(m): return m.k
        @memoize(place)
        def f(x): return x + h(g)
    """,
    "partial passed to helper": """
        import functools
        def g(): pass
        p = functools.partial(g)
        p.k = «1|2»
        def h(m): return m.k
        @memoize(place)
        def f(x): return x + h(p)
    """,
    "metaclass getattr": """
        class Meta(type):
            def __getattr__(cls, name): return «1|2»
        class A(metaclass=Meta): pass
        @memoize(place)
        def f(x): return x + A.K
    """,
    "late import attr": """
        @memoize(place)
        def f(x):
            import aside
            return x + aside.g.k
        # aside.py
        def g(): pass
        g.k = «1|2»
    """,
    "module class replaced": """
        import sys, types
        class T(types.ModuleType):
            @property
            def K(self): return «1|2»
        @memoize(place)
        def f(x): return x + sys.modules[__name__].K
        sys.modules[__name__].__class__ = T
    """,
    "module class of another": """
        import aside
        @memoize(place)
        def f(x): return x + aside.K
        # aside.py
        import sys, types
        class T(types.ModuleType):
            @property
            def K(self): return «1|2»
        sys.modules[__name__].__class__ = T
    """,
    "function attr counter read": """
        def g(): pass
        g.k = «1|2»
        g.n = 0
        @memoize(place)
        def f(x):
            g.n += 1
            return x + g.k
    """,
    "ufunc": """
        from numpy import «floor|ceil» as g
        @memoize(place)
        def f(x): return float(g(x + 0.5))
    """,
    "method descriptor": """
        g = str.«upp|low»er
        @memoize(place)
        def f(x): return g('aB')
    """,
    "bound builtin": """
        g = 'aB'.«upp|low»er
        @memoize(place)
        def f(x): return g()
    """,
    "bound builtin of re": """
        import re
        g = re.compile('a').«mat|sear»ch
        @memoize(place)
        def f(x): return bool(g('ba'))
    """,
    "classes of one factory": """
        def make(k):
            class C:
                K = k
            return C
        A = make(«1|3»)
        B = make(9)
        @memoize(place)
        def f(x): return x + A.K + B.K
    """,
    "self passed to helper": """
        def h(s): return s.K
        class Model:
            K = «1|2»
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return x + h(self)
        model = Model()
        def f(x): return model.run(x)
        f.version_info = Model.run.version_info
    """,
    "annotated arg text": """
        import dataclasses
        @dataclasses.dataclass
        class A:
            k: int
            def run(self, x): return x + «1|2»
        @memoize(place)
        def g(a: 'list[A]', x): return a[0].run(x)
        def f(x): return g([A(1)], x)
        f.version_info = g.version_info
    """,
    "setattr counter": """
        def g(): pass
        g.k = «1|2»
        @memoize(place)
        def f(x):
            setattr(g, 'n', 3)
            return x + g.k
    """,
    "property by attrgetter": """
        import operator
        class C:
            k = property(operator.attrgetter('«a|b»'))
            a, b = 1, 2
        @memoize(place)
        def f(x): return x + C().k
    """,
    "property by partial": """
        import functools
        def h(s, k=0): return k
        class C:
            k = property(functools.partial(h, k=«1|2»))
        @memoize(place)
        def f(x): return x + C().k
    """,
    "match args": """
        class C:
            __match_args__ = ('«a|b»',)
            a, b = 1, 2
        @memoize(place)
        def f(x):
            match C():
                case C(y): return x + y
    """,
    "callable in table of class instances": """
        class G:
            def __init__(self, h): self.h = h
            def __call__(self, x): return self.h(x)
        def h(x): return x + «1|2»
        T = {'a': G(h)}
        @memoize(place)
        def f(x): return T['a'](x)
    """,
    "compare=False field": """
        import dataclasses
        @dataclasses.dataclass
        class C:
            k: int = dataclasses.field(compare=False)
        G = «C(1)|C(2)»
        @memoize(place)
        def f(x): return x + G.k
    """,
    "enum member attr": """
        import enum
        class C(enum.Enum):
            A = 1
        C.A.«extra = 1|extra = 2»
        @memoize(place)
        def f(x): return x + C.A.extra
    """,
    "dict order": """
        T = {«'a': 1, 'b': 2|'b': 2, 'a': 1»}
        @memoize(place)
        def f(x): return x, next(iter(T))
    """,
    "dict order nested": """
        T = [{«'a': 1, 'b': 2|'b': 2, 'a': 1»}]
        @memoize(place)
        def f(x): return x, list(T[0])
    """,
    "namespace order": """
        import types
        N = types.SimpleNamespace(«a=1, b=2|b=2, a=1»)
        @memoize(place)
        def f(x): return x, list(vars(N))
    """,
    "range stop": """
        R = range(«0, 10, 3|0, 12, 3»)
        @memoize(place)
        def f(x): return x, R.stop
    """,
    "path kind": """
        import pathlib
        K = «pathlib.Path(|pathlib.PurePath(»'a')
        @memoize(place)
        def f(x): return x, type(K).__name__
    """,
    "eval": """
        «K = 1|K = 2»
        @memoize(place)
        def f(x): return x + eval('K + 1')
    """,
    "format attr": """
        def g(): pass
        «g.k = 1|g.k = 2»
        @memoize(place)
        def f(x): return x, '{0.k}'.format(g)
    """,
    "percent globals": """
        «K = 1|K = 2»
        @memoize(place)
        def f(x): return x, '%(K)s' % globals()
    """,
    "namedtuple in table": """
        import typing
        class P(typing.NamedTuple):
            a: int
            def run(self): «return 1|return 2»
        T = [P(1)]
        @memoize(place)
        def f(x): return x + T[0].run()
    """,
    "deque of instances": """
        import collections, dataclasses
        @dataclasses.dataclass
        class P:
            a: int
            def run(self): «return 1|return 2»
        T = collections.deque([P(1)])
        @memoize(place)
        def f(x): return x + T[0].run()
    """,
    "frozen slots dataclass in table": """
        import dataclasses
        @dataclasses.dataclass(slots=True)
        class Q:
            b: int
            def go(self): «return 1|return 2»
        @dataclasses.dataclass(slots=True)
        class P:
            a: Q
        T = [P(Q(1))]
        @memoize(place)
        def f(x): return x + T[0].a.go()
    """,
    "mappingproxy of instances": """
        import types, dataclasses
        @dataclasses.dataclass
        class P:
            a: int
            def run(self): «return 1|return 2»
        T = types.MappingProxyType({'a': P(1)})
        @memoize(place)
        def f(x): return x + T['a'].run()
    """,
    "a class by make_dataclass": """
        import dataclasses
        C = dataclasses.make_dataclass('C', [('n', «int, 1|int, 2»)])
        @memoize(place)
        def f(x): return x + C().n
    """,
    "a class by exec": """
        S = {'__name__': 'made_up'}
        exec('class C:\\n    «K = 1|K = 2»', S)
        C = S['C']
        @memoize(place)
        def f(x): return x + C.K
    """,
    "a method of a derived class": """
        class B:
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return self.step(x)
        class A(B):
            def step(self, x): return «x + 1|x + 2»
        model = A()
        def f(x): return model.run(x)
        f.version_info = B.run.version_info
    """,
    "an attribute of a derived class": """
        class B:
            def __memo_key__(self): return 1
            @memoize(place)
            def run(self, x): return self.K + x
        class A(B):
            «K = 1|K = 2»
        class AA(A): pass
        model = AA()
        def f(x): return model.run(x)
        f.version_info = B.run.version_info
    """,
    "a derived class in another module": """
        import aside
        class A(aside.B):
            def step(self, x): return «x + 1|x + 2»
        model = A()
        def f(x): return model.run(x)
        f.version_info = aside.B.run.version_info
        # aside.py
        class B:
            def __memo_key__(self): return 1
            @__import__('holdall').memoize(__import__('builtins').memo_place)
            def run(self, x): return self.step(x)
    """,
    "a class derived from an annotated one": """
        import dataclasses
        @dataclasses.dataclass
        class B:
            n: int
        class A(B):
            def step(self, x): return «x + 1|x + 2»
        @memoize(place)
        def g(b: B, x): return b.step(x)
        def f(x): return g(A(1), x)
        f.version_info = g.version_info
    """,
    "a lambda of another package": """
        import types, json
        D = {n: types.FunctionType(c.__code__, vars(json), "<lambda>") for n, c in {
            "a": lambda x: x + 1,
            "b": lambda x: x + 2,
        }.items()}
        g = «D['a']|D['b']»
        @memoize(place)
        def f(x): return g(x)
    """,
}
# What nothing is known of.
LISTED = {
    "class of a descriptor": """
        class D:
            def __init__(self, k): self.k = k
            def __get__(self, a, b): return self.k
        class Model:
            k = D(«1|2»)
        @memoize(place)
        def f(x): return x + Model.k
    """,
    "table of bound methods": """
        class H:
            def __init__(self, k): self.k = k
            def run(self, x): return x + self.k
        T = {'a': H(«1|2»).run}
        @memoize(place)
        def f(x): return T['a'](x)
    """,
    "a function of numpy made by frompyfunc": """
        import numpy
        def h(x): return x + «1|2»
        g = numpy.frompyfunc(h, 1, 1)
        @memoize(place)
        def f(x): return int(g(x))
    """,
    "an iterator": """
        def h(x): return x + «1|2»
        g = map(h, [1, 2, 3, 4])
        @memoize(place)
        def f(x): return next(g)
    """,
    "a variable of a context": """
        import contextvars
        g = contextvars.ContextVar('g', default=«1|2»)
        @memoize(place)
        def f(x): return x + g.get()
    """,
    "whole __dict__": """
        def g(): pass
        «g.k = 1|g.k = 2»
        @memoize(place)
        def f(x): return x, dict(g.__dict__)
    """,
    "dir of module": """
        import aside
        @memoize(place)
        def f(x): return x, [getattr(aside, n)() for n in dir(aside) if n.startswith('t')]
        # aside.py
        def t1(): «return 1|return 2»
    """,
    "dynamic getattr": """
        import aside
        @memoize(place)
        def f(x): return x, getattr(aside, 'T' + str(x))
        # aside.py
        «T1 = 1|T1 = 2»
    """,
    "dynamic globals": """
        «T1 = 1|T1 = 2»
        @memoize(place)
        def f(x): return x, globals()['T' + str(x)]
    """,
    "dynamic import": """
        import importlib
        @memoize(place)
        def f(x): return x, importlib.import_module('asid' + 'efgh'[x]).K
        # asidf.py
        «K = 1|K = 2»
    """,
    "class attr order": """
        class C:
        «    a = 1
            b = 2|    b = 2
            a = 1»
        @memoize(place)
        def f(x): return x, [n for n in vars(C) if n[0] != '_']
    """,
    "subclasses": """
        class B: pass
        class A(B):
            «K = 1|K = 2»
        @memoize(place)
        def f(x): return x + B.__subclasses__()[0].K
    """,
}
# What is named alike, but not used.
SAME = {
    "an attribute that is not named": """
        def g(): pass
        g.k = 1
        g.other = «1|2»
        @memoize(place)
        def f(x): return x + g.k
    """,
    "an attribute that is counted": """
        def g(): pass
        g.n = «0|5»
        @memoize(place)
        def f(x):
            g.n += 1
            return x
    """,
    "an attribute that setattr counts": """
        def g(): pass
        g.n = «0|5»
        @memoize(place)
        def f(x):
            setattr(g, "n", g.n + 1)
            return x
    """,
    "a counter of a module": """
        import aside
        @memoize(place)
        def f(x):
            aside.n += 1
            return x
        # aside.py
        n = «0|5»
    """,
    "a name of a module that is only looked at, which another object has": """
        import aside
        def h(values): return values.index(1)
        @memoize(place)
        def f(x): return x + aside.k + h((1,))
        # aside.py
        k = 0
        def index(x): return x + «1|2»
    """,
    "a docstring that is not shown": """
        def g(): "«one|two»"
        @memoize(place)
        def f(x): return g() or x
    """,
    "a text that looks nothing up": """
        K = «1|2»
        @memoize(place)
        def f(x): return "K", x
    """,
}


_OURS = frozenset({"program", "aside", "asidf", "inside", "spaced"})
_BEGIN = "from holdall import memoize\nplace = __import__('builtins').memo_place\n"


class Project:
    """Files that are imported again after an edit."""

    def __init__(self, folder, text):
        if "numpy" in text:
            pytest.importorskip("numpy")
        self._folder = folder
        first, *others = re.split(r"^# (\S+\.py)\n", textwrap.dedent(text), flags=re.MULTILINE)
        self._files = {
            "program.py": _BEGIN + first.lstrip(),
            **dict(zip(others[::2], others[1::2], strict=True)),
        }

    def load(self, place, edited=0):
        """Write the files, import them, and return the function."""
        for name, text in self._files.items():
            path = self._folder / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(re.sub("«(.*?)\\|(.*?)»", lambda found: found[1 + edited], text, flags=re.DOTALL))
        for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
            del sys.modules[name]
        importlib.invalidate_caches()
        builtins.memo_place = place
        return importlib.import_module("program").f


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(builtins, "memo_place", None, raising=False)
    yield lambda text: Project(tmp_path, text)
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]


@pytest.mark.parametrize("what", RECOMPUTED)
def test_what_changes_a_result_makes_another_version(what, project):
    files, place = project(RECOMPUTED[what]), {}
    first = files.load(place)
    before = first(1)
    assert first.version_info().version == files.load({}).version_info().version
    edited = files.load(place, 1)
    with pytest.warns(RuntimeWarning, match="has changed"):
        after = edited(1)
    assert after == files.load({}, 1)(1) != before


@pytest.mark.parametrize("what", LISTED)
def test_what_is_not_known_to_change_a_result_is_listed(what, project):
    files, place = project(LISTED[what]), {}
    before = files.load(place)(1)
    edited = files.load(place, 1)
    assert edited(1) == before != files.load({}, 1)(1)
    assert edited.version_info().unknown


@pytest.mark.parametrize("what", SAME)
def test_what_is_not_used_makes_no_other_version(what, project):
    files, place = project(SAME[what]), {}
    before = files.load(place)(1)
    edited = files.load(place, 1)
    assert (edited(1), edited.cache_info().misses) == (before, 0)


LATE = """
    class Base:
        def __memo_key__(self): return 1
        def step(self, x): return x
        @memoize(place)
        def run(self, x): return self.step(x)
    def derive():
        global Derived
        class Derived(Base):
            def step(self, x): return x + 1
    f = Base.run
"""


def test_a_class_that_is_derived_while_the_process_runs_is_noticed(project):
    run = project(LATE).load({})
    program = sys.modules["program"]
    assert program.Base().run(1) == 1
    before = run.version_info()
    program.derive()
    with pytest.warns(RuntimeWarning, match="has changed"):
        assert program.Derived().run(1) == 2
    assert run.version_info().version != before.version
    assert "program.Derived.step" in run.version_info().functions


def test_an_attribute_set_while_the_process_runs_is_noticed_when_something_is_computed():
    def g():
        return 0

    g.k = 1
    f = memoize({}, name="attribute")(lambda x: x + g.k)
    assert f(1) == 2
    g.k = 10
    with pytest.warns(RuntimeWarning, match="has changed"):
        assert (f(2), f(1)) == (12, 11)


class Raising:
    """What a proxy is that stands for nothing now, as those of web frameworks between requests."""

    __class__ = __dict__ = property(lambda self: 1 / 0)

    def __getattr__(self, name):
        raise ZeroDivisionError


class Everything:
    """What has all attributes."""

    def __getattr__(self, name):
        return self


class NoList(list):
    """What raises when it is iterated over."""

    def __iter__(self):
        raise ZeroDivisionError


class Odd:
    """What has attributes that mean something elsewhere."""

    __args__ = __wrapped__ = 5


@pytest.mark.parametrize("make", [Raising, Everything, NoList, Odd, Mock, MagicMock])
@pytest.mark.parametrize("around", [lambda one: one, lambda one: [one], lambda one: {"a": one}])
def test_what_cannot_be_looked_at_is_listed_and_stops_no_call(make, around):
    scope = {"thing": around(make()), "__name__": "made_up"}
    exec("def f(x): return x, type(thing)", scope)
    f = memoize({}, name="f")(scope["f"])
    assert f(1) == (1, type(scope["thing"]))
    assert "made_up.thing" in f.version_info().unknown


@pytest.mark.parametrize("make", [Raising, Everything, NoList, Odd, Mock])
def test_functions_that_enclose_what_cannot_be_looked_at_need_a_name(make):
    thing = make()
    with pytest.raises(ValueError, match="encloses 'thing'"):
        memoize({})(lambda x: (x, type(thing)))(1)
