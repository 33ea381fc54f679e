"""The base of persisters over object stores, whatever their client.

An `Engine` sends single requests; `ObjectPersister` builds the contract of persisters on them: names,
compare-and-swap that holds when answers are lost, bulk operations, large values.
"""
