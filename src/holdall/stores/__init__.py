"""The stores by backend: defaults and documentation, no mechanism."""
