"""The engine: loops and network around the pure policies.

One attempt is one pipeline over one record: claim ─▶ Parcel ─▶ send ─▶ Outcome ─▶ judge ─▶ Settlement ─▶ settle.
"""
