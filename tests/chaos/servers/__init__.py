"""Database servers of a case's own, each in a directory of its own on a free port: they may be killed at will."""
