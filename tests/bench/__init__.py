"""Benchmarks: Trunkline beside the bare limit, the same job with every feature left out. `make bench` runs them."""
