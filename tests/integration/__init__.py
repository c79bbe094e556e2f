"""Tests with real databases, sockets, threads and processes."""
