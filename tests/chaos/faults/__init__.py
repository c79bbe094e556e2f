"""What may go wrong, one small class each: it strikes a stage, and is taken away again."""
