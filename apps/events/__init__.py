"""Events, and the types they are of: dotted names with JSON Schema versions.

Receives validated submissions from the intake, and types from people and imports. Hands on events to deliver and
replay, and validators to hold data against.
"""
