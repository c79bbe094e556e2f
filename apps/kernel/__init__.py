"""What every app may lean on: clock, ids, errors, strict JSON, REST plumbing.

A closed list: no models and no noun of the domain. Imports nothing of ours.
"""
