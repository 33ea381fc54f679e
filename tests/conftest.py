"""Settings of all tests."""

import os
import sys

from exploring import register_profiles

# Byte code is kept, whatever the environment says: hundreds of tests start processes, each of which would
# compile the library again for a quarter of a second.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

register_profiles()
