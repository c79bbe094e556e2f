"""Running Trunkline: health, metrics, set-up, and the one process group that serves everything.

Receives nothing of its own; reads what the other apps hold.
"""
