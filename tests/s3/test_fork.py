"""A forked child has the locks of its parent, but not the threads that would release them."""

import os
import subprocess

import pytest

from processes._support import PYTHON, child_environment
from s3._places import KEYS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_a_thread_holds_a_lock_goes_on(plain_bucket, tmp_path):
    keys = {name: os.environ.get(name, value) for name, value in KEYS.items()}
    done = subprocess.run(
        [PYTHON, "-m", "s3._forking", plain_bucket.endpoint_url, plain_bucket.name, str(tmp_path)],
        env={**child_environment(), **keys},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
