"""Where data lie: one module a kind of place; none of them knows another."""
