"""A linearizability checker for one register, after Wing and Gong, with the pruning of Lowe.

A history is a list of ``(kind, said, started, ended)``; the register holds a value, or None where the key
is absent. Values written are unique, so that each value has one writer.

================ =================================== ==================================================
kind             said                                meaning
================ =================================== ==================================================
``set``          ``(value,)``                        written whatever was there
``read``         ``(seen,)``                         None: absent
``cas``          ``(expected, value, done[, sees])`` written if the register held `expected`
``swap changed`` ``(expected, value, done[, sees])`` written unless the register held `expected`
``transform``    ``(seen, value)``                   the register held `seen` when `value` was written
``pop``          ``(seen,)``                         deleted; None: it was absent
``del``          ``()``                              deleted; it was not absent
``setdefault``   ``(value, seen)``                   `seen` is what the register holds afterwards
================ =================================== ==================================================

In the swaps, `value` may be None, which deletes; `sees` is what the register holds afterwards.
"""

_IMPOSSIBLE = object()


def apply(state, kind, said):
    """Give the state after an operation, or `_IMPOSSIBLE` if it cannot have said that."""
    if kind == "set":
        return said[0]
    if kind == "read":
        return state if said[0] == state else _IMPOSSIBLE
    if kind in {"cas", "swap changed"}:
        expected, value, done, *sees = said
        if done != ((state == expected) == (kind == "cas")):
            return _IMPOSSIBLE
        after = value if done else state
        return after if sees in ([], [after]) else _IMPOSSIBLE
    if kind == "transform":
        return said[1] if said[0] == state else _IMPOSSIBLE
    if kind == "del":
        return _IMPOSSIBLE if state is None else None
    if kind == "pop":
        return None if said[0] == state else _IMPOSSIBLE
    if kind == "setdefault":
        value, seen = said
        return seen if seen == (value if state is None else state) else _IMPOSSIBLE
    raise ValueError(kind)


def is_linearizable(history):
    """Tell whether there is an order of the operations that explains all they said.

    Each operation takes effect at one instant between its start and its end: the next in the order is
    one that started before every operation that is still to come had ended.
    """
    operations = sorted(history, key=lambda operation: operation[2])
    everything = (1 << len(operations)) - 1
    seen = {(0, None)}
    waiting = [(0, None)]
    while waiting:
        done, state = waiting.pop()
        if done == everything:
            return True
        first_end = None
        candidates = []
        for number, (_, _, started, ended) in enumerate(operations):
            if done >> number & 1:
                continue
            if first_end is not None and started > first_end:
                break
            first_end = ended if first_end is None else min(first_end, ended)
            candidates.append(number)
        for number in candidates:
            kind, said, started, _ = operations[number]
            if started > first_end:
                continue
            after = apply(state, kind, said)
            step = (done | 1 << number, after)
            if after is not _IMPOSSIBLE and step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


def count_overlaps(history):
    """Count operations that began before the one before them had ended."""
    operations = sorted(history, key=lambda operation: operation[2])
    latest = overlaps = 0
    for _, _, started, ended in operations:
        overlaps += started < latest
        latest = max(latest, ended)
    return overlaps
