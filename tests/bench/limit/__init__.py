"""What bounds any such system on this machine: a bare edge and engine, a receiver and a load generator that are never
the bottleneck themselves."""
