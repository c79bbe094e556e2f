"""What builds, checks and documents the house; nothing here runs in production."""
