"""Append-only: who did what, to which id, when.

Receives one record for every write a person or a program makes through a service. Hands on nothing; the admin reads it.
"""
