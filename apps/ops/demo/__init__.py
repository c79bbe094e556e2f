"""A demonstration: a project, a receiver, a stream of events, and one destination that fails on purpose."""
