"""The backend of the example for REST keeps the whole contract, and takes no failure for absence."""

import importlib.util
import sys
from pathlib import Path

import pytest

from holdall import Store, StoreUnavailableError
from holdall.testing import PersisterContract

spec = importlib.util.spec_from_file_location(
    "rest_backend", Path(__file__).parents[2] / "examples" / "rest_backend.py"
)
rest = sys.modules.setdefault("rest_backend", importlib.util.module_from_spec(spec))
spec.loader.exec_module(rest)


@pytest.mark.soak
class TestContract(PersisterContract):
    @pytest.fixture(autouse=True)
    def servers(self):
        self.started = {}
        yield
        for server in self.started.values():
            server.shutdown()
            server.server_close()

    def open(self, place):
        if place not in self.started:
            self.started[place] = rest.serve()
        return rest.RestPersister(f"127.0.0.1:{self.started[place].server_port}")


def test_a_failure_of_the_service_is_not_absence(monkeypatch):
    server = rest.serve()
    store = Store(rest.RestPersister(f"127.0.0.1:{server.server_port}"), serializer="json")
    store["a"] = 1
    monkeypatch.setattr(rest.Service, "do_GET", lambda self: self.send_error(500))
    for verb, *args in ((store.get, "a"), (store.setdefault, "a", 2), (store.etag, "a"), (list, store)):
        with pytest.raises(StoreUnavailableError, match="answers 500"):
            verb(*args)
    monkeypatch.undo()
    assert store["a"] == 1
    server.shutdown()
    server.server_close()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        store["a"] = 3
