"""All states of a delivery and every edge between them; whatever is not in the table is refused.

Rule: nothing else decides which state may follow which. The database's CHECK and the diagram in
docs/reference/delivery-states.md are tested against this table.
"""

from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    READY = "ready"  # waits until `due_at`
    SENDING = "sending"  # an engine holds it until `lease_until`
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; a person can replay it
    CANCELLED = "cancelled"


class Edge(StrEnum):
    CLAIMED = "claimed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # and will be tried again
    INTERRUPTED = "interrupted"  # by our shutdown; not counted as an attempt
    RESCUED = "rescued"  # from an engine that crashed: the lease ran out
    REJECTED = "rejected"  # for good, by the receiver
    EXHAUSTED = "exhausted"  # the retry schedule came to its end
    CANCELLED = "cancelled"
    DISCARDED = "discarded"  # a dead one, taken out of the queue of the dead
    REPLAYED = "replayed"


TRANSITIONS: MappingProxyType[tuple[State, Edge], State] = MappingProxyType(
    {
        (State.READY, Edge.CLAIMED): State.SENDING,
        (State.SENDING, Edge.SUCCEEDED): State.DELIVERED,
        (State.SENDING, Edge.FAILED): State.READY,
        (State.SENDING, Edge.INTERRUPTED): State.READY,
        (State.SENDING, Edge.RESCUED): State.READY,
        (State.SENDING, Edge.REJECTED): State.DEAD,
        (State.SENDING, Edge.EXHAUSTED): State.DEAD,
        (State.READY, Edge.CANCELLED): State.CANCELLED,
        (State.SENDING, Edge.CANCELLED): State.CANCELLED,
        (State.DEAD, Edge.DISCARDED): State.CANCELLED,
        (State.DELIVERED, Edge.REPLAYED): State.READY,
        (State.DEAD, Edge.REPLAYED): State.READY,
        (State.CANCELLED, Edge.REPLAYED): State.READY,
    }
)

FINAL = frozenset({State.DELIVERED, State.DEAD, State.CANCELLED})


class IllegalTransition(Exception):
    """No such edge leaves that state."""


def advance(state: State, edge: Edge) -> State:
    """The state an edge leads to; raises IllegalTransition."""
    try:
        return TRANSITIONS[state, edge]
    except KeyError:
        raise IllegalTransition(f"{edge} does not leave {state}") from None


def sources(edge: Edge) -> frozenset[State]:
    """The states an edge may leave: what a compare-and-set compares with."""
    return frozenset(state for state, found in TRANSITIONS if found is edge)
