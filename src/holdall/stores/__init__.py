"""The ready-made stores: defaults and documentation, no mechanism."""
