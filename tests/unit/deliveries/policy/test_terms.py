"""What policies come to: destination over event type over default, and schedules of every shape."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.deliveries.policy.terms import DEFAULT, DEFAULT_SCHEDULE, Terms, terms_of
from apps.destinations.policy import Exponential, Policy, Retry, parse_policy


def test_where_nobody_says_anything_the_default_counts() -> None:
    assert terms_of(Policy()) == terms_of(Policy(), Policy()) == DEFAULT == Terms()
    assert (DEFAULT.timeout, DEFAULT.jitter, DEFAULT.max_age, DEFAULT.waits) == (15.0, 0.1, None, DEFAULT_SCHEDULE)


def test_the_destination_is_above_the_event_type_field_by_field() -> None:
    destination, event_type = Policy(timeout=3), Policy(timeout=9, retry=Retry(schedule=(1, 2)))
    assert terms_of(destination, event_type) == Terms(waits=(1, 2), timeout=3)
    assert terms_of(Policy(retry=Retry(schedule=())), event_type) == Terms(waits=(), timeout=9)


RULES = [
    ({"schedule": [1, 0.5]}, (1, 0.5)),
    ({"schedule": []}, ()),
    ({"exponential": {}}, (5, 10, 20, 40, 80, 160, 320, 640, 1_280)),  # ten attempts, twice as long each time
    ({"exponential": {"first": 1, "factor": 3, "longest": 10, "attempts": 5}}, (1, 3, 9, 10)),
    ({"exponential": {"attempts": 1}}, ()),
    ({"exponential": {"first": 100, "longest": 10, "attempts": 3}}, (10, 10)),
    ({"jitter": 0}, DEFAULT_SCHEDULE),
]


@pytest.mark.parametrize(("rule", "waits"), RULES)
def test_the_schedule(rule: dict[str, object], waits: tuple[float, ...]) -> None:
    assert terms_of(parse_policy({"retry": rule})).waits == waits


@pytest.mark.parametrize(
    ("poison", "attempts"),
    [({}, 8), ({"after": 1}, 1), ({"after": 3}, 3), ({"after": 50}, 8), ({"action": "skip", "after": 3}, 8)],
)
def test_a_poison_event_may_be_given_up_early(poison: dict[str, object], attempts: int) -> None:
    assert len(terms_of(parse_policy({"poison": poison})).waits) == attempts - 1


def test_jitter_and_age() -> None:
    terms = terms_of(parse_policy({"retry": {"jitter": 0.5, "max_age": 3_600}}))
    assert (terms.jitter, terms.max_age) == (0.5, timedelta(hours=1))


@given(st.floats(0.001, 86_400), st.floats(1, 10), st.floats(0.001, 2_592_000), st.integers(1, 100))
def test_an_exponential_never_shrinks_nor_passes_its_longest(
    first: float, factor: float, longest: float, attempts: int
) -> None:
    rule = Exponential(first=first, factor=factor, longest=longest, attempts=attempts)
    waits = terms_of(Policy(retry=Retry(exponential=rule))).waits
    assert len(waits) == attempts - 1
    assert all(0 < one <= longest for one in waits)
    assert list(waits) == sorted(waits)
