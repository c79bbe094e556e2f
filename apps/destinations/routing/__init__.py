"""Which destinations want an event, and what becomes of its data on the way: filters and transformations.

Nothing here touches the database or the network. What people write is compiled when it is saved; what can't be bounded
in time and memory by a look at it runs in worker processes (workers.py), which are killed when they take too much.
"""
