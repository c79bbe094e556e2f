"""Where events go: consumers, destinations with their subscriptions and secrets, and the kinds of destination.

Receives the configuration people and programs write. Hands on, to the intake, which destinations want an event, and,
to the engine, how to send to each.
"""
