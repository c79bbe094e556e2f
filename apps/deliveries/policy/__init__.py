"""Pure decisions: from what an attempt saw to what becomes of the delivery. No Django, no IO, no clock."""
