"""The composition root: settings, URLs, servers. May import everything; nothing imports it."""
