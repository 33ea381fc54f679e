"""Servers of S3, one for each worker of the tests, and a fresh bucket for each test.

The variable HOLDALL_S3_ENDPOINT puts a real server in the place of the one that is started here, with
HOLDALL_S3_ACCESS_KEY and HOLDALL_S3_SECRET_KEY; tests of what only moto can play are skipped then.
"""

import importlib.util
import os
from contextlib import ExitStack
from functools import cache

import pytest

pytest.importorskip("boto3")
if importlib.util.find_spec("moto") is None:  # which only the server imports
    pytest.skip("moto is not installed", allow_module_level=True)

collect_ignore = [] if importlib.util.find_spec("obstore") else ["test_obstore.py"]

from holdall import UnsupportedError  # noqa: E402
from s3._places import KEYS, kinds, moto, new_bucket, real  # noqa: E402
from s3._wire import Fake, Proxy  # noqa: E402


def pytest_generate_tests(metafunc):
    """Run what takes a `bucket` on each kind of bucket that the server is tested with."""
    if "bucket" in metafunc.fixturenames:
        metafunc.parametrize("bucket", kinds(), indirect=True)


# Ceph answers 500 to one of two racing writers, and clients send that again. Whether the first sending
# arrived can be told of data that differ from write to write, which raw data of the contract do not: then
# the outcome is unknown, as it must be. `test_increments` has these races with values.
RACES_OF_RAW_DATA = {
    "test_no_two_swaps_succeed_from_one_state",
    "test_a_forked_child_shares_the_place",
    "test_no_increment_of_threads_is_lost",
    "test_a_plain_write_is_never_overwritten_by_a_stale_one",
    "test_no_increment_of_processes_is_lost",
    "test_one_of_several_inserting_processes_wins",
}

# Who discards an absent key is told so by servers that bind deletions to conditions. Ceph does not, and there
# `discard` says True, since it may be.
TOLD_BY_DISCARD = {"test_absence_is_a_key_error_with_the_users_key", "test_defaults_insert_nothing"}

# These count the requests that moto needs, change requests without signing them anew, or use what Ceph was
# not set up for here: encryption, storage classes, regions.
OF_MOTO = {
    "test_a_bucket_lies_in_the_region_of_its_client",
    "test_a_listing_is_taken_over_once_and_by_an_iterator_that_was_there",
    "test_a_server_that_ignores_conditions_is_refused",
    "test_a_write_that_nobody_answers_is_found_by_its_token",
    "test_conditional_operations",
    "test_many_items",
    "test_only_what_belongs_to_the_prefix_is_asked_for",
    "test_options_of_the_organisation_reach_every_write",
    "test_options_reach_every_write_and_no_other_request",
    "test_single_items",
    "test_the_first_conditional_operations_find_out_what_the_server_does",
    "test_a_pickle_holds_no_credentials",
    "test_credentials_that_change_sign_the_next_request",
}
NOT_REAL = {
    **dict.fromkeys(RACES_OF_RAW_DATA, "the server answers 500 to racing writers"),
    **dict.fromkeys(TOLD_BY_DISCARD, "the server does not tell what was deleted"),
    **dict.fromkeys(OF_MOTO, "of moto"),
}


def pytest_collection_modifyitems(items):
    """Leave out what holds of no real server that is known."""
    for item in items:
        if real() and (reason := NOT_REAL.get(getattr(item, "originalname", ""))):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Skip what a real server cannot do, where the store says so; `test_increments` checks that it does."""
    try:
        return (yield)
    except UnsupportedError as error:
        bucket = pyfuncitem.funcargs.get("bucket")
        text = str(error)
        ignores = bucket is not None and not bucket.obeys and "condition" in text
        if real() and (ignores or "the condition of a deletion" in text or "mark of a deletion" in text):
            pytest.skip(text)
        raise


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """Set the credentials of the servers here, and hide those of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    if real():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", os.environ["HOLDALL_S3_ACCESS_KEY"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", os.environ["HOLDALL_S3_SECRET_KEY"])


@pytest.fixture(scope="session", autouse=True)
def read_once():
    """Let sessions of boto3 share the description of S3: to read it is nine tenths of making a client.

    Clients of one session share it as well: nothing changes it.
    """
    from botocore import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield


@pytest.fixture(scope="session")
def faces():
    """Give the URL of each face of moto; see `s3._server`."""
    if real():
        pytest.skip("a real server has no faces")
    with moto() as urls:
        yield urls


@pytest.fixture(scope="session")
def endpoint(request):
    """Give the URL of the server: moto, or the real one."""
    return real() or request.getfixturevalue("faces")["locked"]


@pytest.fixture
def bucket(request, endpoint):
    """Give an empty bucket of its own to a test."""
    return new_bucket(endpoint, request.param)


@pytest.fixture
def plain_bucket(endpoint):
    """Give an empty bucket without versions, whatever the server is tested with."""
    return new_bucket(endpoint)


@pytest.fixture
def fake():
    """Give a function that starts a server which plays answers."""
    with ExitStack() as stack:
        yield lambda *script, **options: stack.enter_context(Fake(*script, **options))


@pytest.fixture
def proxy(endpoint):
    """Give a function that starts a proxy before the server."""
    with ExitStack() as stack:
        yield lambda rule=None, upstream=endpoint, **options: stack.enter_context(
            Proxy(upstream, rule, **options)
        )


@pytest.fixture(scope="session")
def authority():
    """Make an authority whose certificates the tests trust, for as long as they run."""
    return pytest.importorskip("trustme").CA()


@pytest.fixture
def certificate(authority, tmp_path, monkeypatch):
    """Give a certificate for loopback that boto3 trusts, as it would trust that of S3."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    return authority.issue_cert("127.0.0.1", "localhost")
