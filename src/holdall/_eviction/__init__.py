"""Eviction: what leaves a bounded store first, and the size of values; no stores, values or locks.

The owner keeps an `Entry` per item, reports to a `Policy` which ones were added, used and removed, and asks
it what to evict::

    policy = make_policy("gdsf", capacity)
    entry = Entry(key, size, cost)
    victims = policy.admit(entry, need=used + size - capacity)   # None: not worth their leaving
    if victims is not None:
        ...                                                      # write them down, let them go
        policy.insert(entry)
    policy.hit(entry)                                            # at each use; no heap, no lock
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from holdall._eviction.policy import Entry, LruPolicy, Policy, SievePolicy
from holdall._shown import shown
from holdall.errors import InvalidArgumentError

__all__ = ["POLICIES", "Entry", "LruPolicy", "Policy", "PolicyName", "SievePolicy", "make_policy"]

#: The name of a policy.
PolicyName: TypeAlias = Literal["gdsf", "lfu", "lru", "sieve"]
#: The names of all policies, the default first.
POLICIES: Final[tuple[PolicyName, ...]] = ("gdsf", "lfu", "lru", "sieve")


def make_policy(policy: str | Callable[[int], Policy], capacity: int) -> Policy:
    """Return a new policy by its name.

    Parameters
    ----------
    policy
        One of `POLICIES`, or a function that makes a policy for a capacity.
    capacity
        The capacity, in the unit of the sizes of its entries (bytes or items).

    Returns
    -------
    Policy
        An empty policy that belongs to the caller.

    Raises
    ------
    InvalidArgumentError
        If there is no such policy.

    Examples
    --------
    >>> policy = make_policy("lru", 2)
    >>> for name in "ab":
    ...     policy.insert(Entry(name))
    >>> [entry.key for entry in policy.admit(Entry("c"), need=1)]
    ['a']
    """
    if callable(policy):
        return policy(capacity)
    if policy == "lru":
        return LruPolicy(capacity)
    if policy == "sieve":
        return SievePolicy(capacity)
    if policy in ("gdsf", "lfu"):
        from holdall._eviction import heap  # noqa: PLC0415  (needs heapdict)

        return heap.GdsfPolicy(capacity) if policy == "gdsf" else heap.LfuPolicy(capacity)
    raise InvalidArgumentError(f"policy is one of {', '.join(map(repr, POLICIES))}, got {shown(policy)}")
