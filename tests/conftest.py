"""Settings of all tests."""

from hypothesis import settings

# A busy machine is no error.
settings.register_profile("holdall", deadline=None)
settings.load_profile("holdall")
