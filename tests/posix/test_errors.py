"""Numbers of the system become errors of holdall, which name the path and say what to do."""

import errno
import os

import pytest

from holdall._posix.errors import at, number_in, translate, translating
from holdall.errors import StoreFullError, StoreUnavailableError, UntrustedStoreError


def error_of(number, filename=None):
    return OSError(number, os.strerror(number), filename)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_one_error(number):
    error = translate(error_of(number), "it cannot be written", "place")
    assert type(error) is StoreFullError
    assert "no room left" in str(error)
    assert "untouched" in str(error)
    assert (error.errno, error.filename) == (number, "place")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_files_says_what_to_do(number):
    error = translate(error_of(number), "it cannot be read", "place")
    assert type(error) is StoreUnavailableError
    assert "ulimit -n" in str(error)


def test_the_path_that_was_refused_is_named():
    refused = error_of(errno.EACCES, "/place/.holdall")
    assert translate(refused, "it cannot be written", "/place").filename == "/place/.holdall"
    in_a_folder = error_of(errno.EACCES, ".holdall")
    assert translate(in_a_folder, "it cannot be written", "/place").filename == "/place"


def test_an_error_without_a_number_keeps_its_words():
    assert "odd" in str(translate(OSError("odd"), "it cannot be read", "place"))


def test_errors_of_ours_stay_as_they_are():
    with pytest.raises(UntrustedStoreError, match=r"^no$"), translating("it cannot be read", "place"):
        raise UntrustedStoreError("no")
    with pytest.raises(UntrustedStoreError) as caught, at("/elsewhere"):
        raise UntrustedStoreError(1, "no", "/here")
    assert caught.value.filename == "/here"


def test_telling_and_at():
    with (
        pytest.raises(StoreFullError, match="it cannot be written") as caught,
        translating("it cannot be written", "a"),
    ):
        with at("/a/b"):
            raise error_of(errno.ENOSPC)
    assert caught.value.filename == "/a/b"
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("Error 111 connecting to 127.0.0.1:1. Connection refused.", errno.ECONNREFUSED),
        ('(2003, "Can\'t connect to MySQL server ([Errno 113] No route to host)")', errno.EHOSTUNREACH),
        ('connection to server at "::1", port 1 failed: Connection refused', errno.ECONNREFUSED),
        ("Error while reading from 127.0.0.1:5 : (104, 'Connection reset by peer')", errno.ECONNRESET),
        ("Timeout connecting to server", errno.ETIMEDOUT),
        ("connection timeout expired", errno.ETIMEDOUT),
        ("host:27017: timed out", errno.ETIMEDOUT),
        ("Error -2 connecting to host:1. Name or service not known.", 5),
        ("", 5),
    ],
)
def test_the_number_is_that_of_what_the_driver_says(said, number):
    assert number_in(said, 5) == number
