"""A process that forks amid a write of another thread: the child writes, and holds nobody up."""

import pytest
from tests.posix.test_exit import run

# The parent's writer stands still where it holds the lock and the mutex; the child writes when it goes on.
SOURCE = """
    import os
    from holdall._posix import replace
    from holdall.stores.document import DocumentStore
    path = sys.argv[1]
    make = lambda: {make}
    store = make()
    store["a"] = "first"
    inside, go_on = threading.Event(), threading.Event()
    usual = {module}.{function}

    def slow(*args, **options):
        if threading.current_thread() is writer:
            inside.set()
            go_on.wait()
        return usual(*args, **options)

    {module}.{function} = slow
    writer = threading.Thread(target=store.__setitem__, args=("a", "parent"))
    writer.start()
    inside.wait()
    pid = os.fork()
    if not pid:
        store["b"] = "child"
        os._exit(0)
    {then}
    """
STORES = {
    "zip": ("holdall.ZipStore(path, serializer='json', timeout=20)", "os", "replace"),
    "document": ("DocumentStore(path, timeout=20)", "os", "replace"),
    "script": ("holdall.ScriptStore(path, create=True, timeout=20)", "scripts", "os_write"),
}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("parent", ["goes on", "ends its write later"])
def test_a_forked_child_writes(tmp_path, kind, parent):
    make, module, function = STORES[kind]
    then = {
        "goes on": "go_on.set(); writer.join(); ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
        # Then the child waits for it, like any process.
        "ends its write later": "time.sleep(0.1); go_on.set(); writer.join(); "
        "ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
    }[parent]
    source = "import holdall.persisters.script._writing as scripts\n" + SOURCE.format(
        make=make, module=module, function=function, then=then
    ).replace("\n    ", "\n")
    source += "\nprint(ended, dict(make()))\n"
    suffix = {"zip": "zip", "document": "json", "script": "py"}[kind]
    done = run(source, tmp_path / f"place.{suffix}")
    assert done.stdout == "0 {'a': 'parent', 'b': 'child'}\n", done.stderr


@pytest.mark.parametrize("kind", STORES)
def test_a_child_that_lives_on_keeps_no_lock_of_its_parent(tmp_path, kind):
    make, module, function = STORES[kind]
    source = "import holdall.persisters.script._writing as scripts\n" + SOURCE.format(
        make=make, module=module, function=function, then="go_on.set(); writer.join()"
    ).replace("\n    ", "\n").replace('store["b"] = "child"', "time.sleep(30)")
    source += "\nstore = make()\nstore['c'] = 'later'\nos.kill(pid, 9)\nprint(dict(make()))\n"
    suffix = {"zip": "zip", "document": "json", "script": "py"}[kind]
    done = run(source, tmp_path / f"place.{suffix}")
    assert done.stdout == "{'a': 'parent', 'c': 'later'}\n", done.stderr
