"""The fast lane: POST /events and /events/batch as a lean ASGI app, beside the REST door and with the same answers.

What makes it fast is what it leaves out of each request: no query for the key, the types and the subscriptions, which
come from memory, and no commit of its own, which it shares with all the requests that wait at the same moment.
"""

from apps.intake.lane.app import Lane

__all__ = ["Lane"]
