"""What persisters over object stores share, whatever client they use.

An `Engine` sends single requests; `ObjectPersister` makes the contract of persisters of them: names,
compare-and-swap that holds when answers are lost, bulk operations, large values.
"""
