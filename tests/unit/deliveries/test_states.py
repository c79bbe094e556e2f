"""The table of states is complete: each pair of state and edge either leads somewhere, or raises."""

from itertools import product

import pytest

from apps.deliveries.states import FINAL, TRANSITIONS, Edge, IllegalTransition, State, advance, sources

R, S, D, X, C = State.READY, State.SENDING, State.DELIVERED, State.DEAD, State.CANCELLED
# Rows: the edge; columns: the state it leaves. None: it doesn't leave that state.
TABLE: dict[Edge, tuple[State | None, ...]] = {
    #                 ready sending delivered dead cancelled
    Edge.CLAIMED:     (S,    None,   None,    None, None),
    Edge.SUCCEEDED:   (None, D,      None,    None, None),
    Edge.FAILED:      (None, R,      None,    None, None),
    Edge.INTERRUPTED: (None, R,      None,    None, None),
    Edge.RESCUED:     (None, R,      None,    None, None),
    Edge.REJECTED:    (None, X,      None,    None, None),
    Edge.EXHAUSTED:   (None, X,      None,    None, None),
    Edge.CANCELLED:   (C,    C,      None,    None, None),
    Edge.DISCARDED:   (None, None,   None,    C,    None),
    Edge.REPLAYED:    (None, None,   R,       R,    R),
}  # fmt: skip


@pytest.mark.parametrize(("state", "edge"), list(product(State, Edge)))
def test_every_pair(state: State, edge: Edge) -> None:
    target = TABLE[edge][list(State).index(state)]
    if target is None:
        with pytest.raises(IllegalTransition, match=f"{edge} does not leave {state}"):
            advance(state, edge)
    else:
        assert advance(state, edge) is target


@pytest.mark.parametrize("edge", Edge)
def test_sources_are_the_states_an_edge_leaves(edge: Edge) -> None:
    assert sources(edge) == {state for state, to in zip(State, TABLE[edge], strict=True) if to}


def test_final_states_are_left_only_by_people() -> None:
    assert {edge for state, edge in TRANSITIONS if state in FINAL} == {Edge.REPLAYED, Edge.DISCARDED}
    assert {state for state, _ in TRANSITIONS} == set(State)  # and no state is a trap


def test_every_state_can_be_reached_from_a_new_delivery() -> None:
    reached, frontier = {State.READY}, {State.READY}
    while frontier:
        frontier = {to for (state, _), to in TRANSITIONS.items() if state in frontier} - reached
        reached |= frontier
    assert reached == set(State)


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.READY, Edge.SUCCEEDED] = State.DELIVERED  # type: ignore[index]


def test_the_columns_hold_every_state_and_edge() -> None:
    from apps.deliveries.models import Attempt, Delivery

    assert max(map(len, State)) <= (Delivery._meta.get_field("state").max_length or 0)
    assert max(map(len, Edge)) <= (Delivery._meta.get_field("reason").max_length or 0)
    assert max(map(len, Edge)) <= (Attempt._meta.get_field("outcome").max_length or 0)
