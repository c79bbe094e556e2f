"""The doors events come in by, and the one function behind them all.

Receives bytes and headers from producers. Hands on events with their ready deliveries, committed in one transaction.
"""
