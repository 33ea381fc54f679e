"""The least persister there is."""

from holdall.abc import Persister


class FourMethods(Persister):
    """A persister in memory, of the four methods alone."""

    def __init__(self, **data):
        self.data = data

    def __getitem__(self, id):
        return self.data[id]

    def __setitem__(self, id, data):
        self.data[id] = data

    def __delitem__(self, id):
        del self.data[id]

    def __iter__(self):
        return iter(list(self.data))
