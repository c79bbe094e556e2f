"""Trunkline from outside: its commands as processes, its API over sockets, its deliveries as they arrive."""
