"""`make chaos`: the faults that production brings, in mid-traffic, and the books compared afterwards.

A case is a stage (real processes, real servers of its own), a fault, and how often it strikes, at random moments. While
it does, producers publish under idempotency keys until each event has its 202, and a receiver writes down what comes.
Then the judge compares what was accepted, what arrived, and what the database says.
"""
