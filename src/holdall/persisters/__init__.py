"""Persisters, one module per kind of storage; none of them imports another."""
