"""The colour of each state, on every page the same."""

from apps.deliveries.policy.breaker import Circuit
from apps.deliveries.states import State

COLOURS = {
    State.READY: "info",
    State.SENDING: "warning",
    State.DELIVERED: "success",
    State.DEAD: "danger",
    State.CANCELLED: "default",
}

CIRCUIT_COLOURS = {Circuit.CLOSED: "success", Circuit.OPEN: "danger", Circuit.HALF_OPEN: "warning"}
