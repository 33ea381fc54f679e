"""Completion of keys at the prompt of IPython, by its own completer."""

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from types import MappingProxyType

import pytest

from holdall import FileDirStore, MemoryStore, Persister, Store
from holdall.errors import StoreUnavailableError
from holdall.keys import AnyKeys, Digest, Template
from holdall.wrappers import (
    add_ipython_key_completions,
    cached_keys,
    cached_values,
    expiring,
    filt_iter,
    overlay,
    wrap_kvs,
    write_back,
)

SESSION = """
import json, sys
from IPython.core.completer import provisionalcompleter
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from holdall import *

shell = TerminalInteractiveShell.instance()
shell.Completer.use_jedi = False  # it reads code, for seconds, and knows no keys
shell.run_cell('''
from holdall import *
from holdall.keys import AnyKeys, Template
text = FileDirStore(serializer="json")
text.update({"theme/dark": 1, "theme/light": 2, "other": 3, "it's": 4})
theme = text.get_subdict("theme")
nested = {"inner": {"store": text}}
template = "{country}/{city}_{year:d}.json"
fields = FileDirStore(serializer="json", keys=template)
fields.update({("fr", "paris", 2024): 1, ("fr", "nice", 2023): 2, ("de", "bonn", 2024): 3})
france = fields.get_subdict(("fr",))
dicts = FileDirStore(serializer="json", keys=Template(template, keys="dict"))
dicts[{"country": "fr", "city": "paris", "year": 2024}] = 1
anything = Store({}, keys=AnyKeys())
anything.update({1: 1, 10: 1, "x": 1, ("p", "q"): 1, None: 1, b"data": 1, 1.5: 1})
million = Store({f"key{number}": number for number in range(1_000_000)})
''')
answers = {}
with provisionalcompleter():
    for line in json.loads(sys.argv[1]):
        answers[line] = [found.text for found in shell.Completer.completions(line, len(line))]
print(json.dumps(answers))
"""

EXPECTED = {
    "text['": ["it\\'s", "other", "theme/dark", "theme/light"],
    "text['theme/": ["theme/dark", "theme/light"],
    'text["o': ["other"],
    "text[": ['"it\'s"', "'other'", "'theme/dark'", "'theme/light'"],
    "theme['": ["dark", "light"],
    "theme['l": ["light"],
    "nested['inner']['store']['oth": ["other"],
    "fields['": ["de", "fr"],
    "fields['fr', '": ["nice", "paris"],
    "fields['fr', 'paris', ": ["2024"],
    "france['p": ["paris"],
    "anything['": ["p", "x"],
    "anything[1": ["1", "1.5", "10"],
    "anything['p', '": ["q"],
    "anything[b'": ["data"],
    "million['key12": None,
    "dicts['par": [],
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    if find_spec("IPython") is None:
        pytest.skip("IPython is not installed")
    home = tmp_path_factory.mktemp("home")
    run = subprocess.run(
        [sys.executable, "-c", SESSION, json.dumps(list(EXPECTED))],
        env={**os.environ, "HOME": str(home), "IPYTHONDIR": str(home)},
        cwd=home,
        check=True,
        capture_output=True,
        text=True,
        timeout=200,
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("line", EXPECTED)
def test_keys_are_completed(answers, line):
    expected = EXPECTED[line]
    if expected is None:  # some of very many
        assert answers[line]
        assert all(found.startswith("key12") for found in answers[line])
    else:
        assert sorted(answers[line]) == sorted(expected)


# ---------------------------------------------------------------------- bounds, without IPython


class Clock:
    """Time, which goes on with each id that an endless place gives."""

    now = 0.0


class Endless(Persister):
    """A place that gives one id after the other, a millisecond each, and never ends."""

    def __getitem__(self, id):
        return b""

    def __setitem__(self, id, data):
        raise NotImplementedError

    def __delitem__(self, id):
        raise NotImplementedError

    def __iter__(self):
        number = 0
        while True:
            Clock.now += 0.001
            yield f"key{number}"
            number += 1


class EndlessMapping(dict):
    """A mapping like that."""

    def __iter__(self):
        return iter(Endless())


@pytest.mark.parametrize(
    "store",
    [
        Store(Endless()),
        Store(Endless(), keys="{}.txt"),
        Store(EndlessMapping()),
        Store(Store(Endless())),
        Store(Store(Endless()), keys="{}.txt").get_subdict("a"),
        Store(Endless()).get_subdict("key"),
        cached_keys(Store(Endless())),
        cached_keys(EndlessMapping(), keys_cache=sorted),
        write_back(EndlessMapping()),
        expiring(EndlessMapping(), ttl=60),
        overlay({}, EndlessMapping()),
        filt_iter(EndlessMapping(), filt=lambda key: False),
        cached_values(wrap_kvs(EndlessMapping(), key_of_id=str)),
    ],
    ids=[
        *("place", "foreign", "mapping", "nested", "view", "empty view", "cached_keys", "sorted"),
        *("write_back", "expiring", "overlay", "filt_iter", "cached_values"),
    ],
)
def test_a_place_without_an_end_does_not_hang_the_prompt(store, monkeypatch):
    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    assert len(store._ipython_key_completions_()) <= 1000
    assert Clock.now < 1  # 0.1, and the page that was being read


def test_a_large_folder_is_not_read_to_its_end(tmp_path):
    for number in range(3000):
        (tmp_path / f"key{number}.json").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.json").touch()
    store = FileDirStore(tmp_path, serializer="json", read_only=True)
    keys = store._ipython_key_completions_()
    assert len(set(keys)) == len(keys) == 1000
    assert set(keys) <= {f"key{number}" for number in range(3000)} | {"sub/inner"}
    assert store.get_subdict("sub")._ipython_key_completions_() == ["inner"]
    other = FileDirStore(tmp_path, serializer="json", keys="{}_{}.json", read_only=True)
    assert other._ipython_key_completions_() == []
    fives = FileDirStore(
        tmp_path, serializer="json", keys=Template("key{:d}.json", keys="tuple"), read_only=True
    )
    assert len(fives._ipython_key_completions_()) == 1000


def test_there_is_nothing_to_complete_where_keys_cannot_be_listed():
    class Down(Endless):
        def __iter__(self):
            raise StoreUnavailableError("down")

    assert Store(Down())._ipython_key_completions_() == []
    assert Store({"x": 1}, keys=Digest())._ipython_key_completions_() == []
    assert Store({Digest().encode("x"): 1}, keys=Digest())._ipython_key_completions_() == []


def test_wrappers_that_remember_give_what_they_list(monkeypatch):
    place = {"b": 1, "a": 2}
    listed = cached_keys(place, keys_cache=sorted)
    assert listed._ipython_key_completions_() == list(listed) == ["a", "b"]
    place["foreign"] = 3
    listed["c"] = 4
    assert sorted(listed._ipython_key_completions_()) == list(listed) == ["a", "b", "c"]
    assert cached_keys(place, keys_cache=["b"])._ipython_key_completions_() == ["b"]
    chosen = cached_keys(place, keys_cache=lambda keys: [key for key in keys if len(key) > 1])
    assert chosen._ipython_key_completions_() == list(chosen) == ["foreign"]
    buffered = write_back({"a": 1, "b": 2, 3: 4})
    del buffered["a"]
    buffered.update({"b": 5, "c/d": 6, 7: 8})
    assert set(buffered._ipython_key_completions_()) == set(buffered) == {"b", "c/d", 3, 7}
    assert buffered.get_subdict("c")._ipython_key_completions_() == ["d"]
    assert overlay({"a": 1}, {"a": 1, "b": 2})._ipython_key_completions_() == ["a", "b"]
    fresh = expiring(MemoryStore({"a": 1}), ttl=60)
    assert fresh._ipython_key_completions_() == ["a"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert fresh._ipython_key_completions_() == list(fresh) == []


def test_all_kinds_of_keys_are_given():
    store = Store({}, keys=AnyKeys())
    store.update(dict.fromkeys([1, "x", ("p", "q"), None, b"y", 1.5]))
    assert set(store._ipython_key_completions_()) == {1, "x", ("p", "q"), None, b"y", 1.5}
    by_dict = Store({}, keys=Template("{a}_{b}", keys="dict"))
    by_dict[{"a": "1", "b": "2"}] = 0
    assert by_dict._ipython_key_completions_() == [{"a": "1", "b": "2"}]


def test_completion_works_on_any_mapping():
    for thing in ({"tea": 1}, MappingProxyType({"tea": 1}), Store({"tea": 1})):
        assert add_ipython_key_completions(thing)._ipython_key_completions_() == ["tea"]
