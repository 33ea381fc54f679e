"""Settings of all tests."""

from exploring import register_profiles

register_profiles()
