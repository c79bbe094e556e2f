"""Users, projects, memberships with their roles, and API keys.

Receives credentials. Hands on a Principal: which project, who acts, and what they may do.
"""
