"""How much may be under way, and who is told to come back later."""

from uuid import UUID

import pytest

from apps.intake.lane.admission import OVERHEAD, Admission, Bounds
from apps.kernel.errors import Problem, TooMany, Unavailable

ONE, OTHER, THIRD = (UUID(int=number) for number in range(3))
PLACES = 10


@pytest.fixture
def admission() -> Admission:
    return Admission(Bounds(bytes=PLACES * OVERHEAD, share=0.5))


def refused(admission: Admission, project: UUID, length: int = 0) -> Problem:
    with pytest.raises(Problem) as caught:
        admission.enter(project, length)
    assert caught.value.headers == {"Retry-After": "1"}
    return caught.value


def test_a_project_has_its_share_and_the_others_theirs(admission: Admission) -> None:
    for _ in range(PLACES // 2):
        admission.enter(ONE, 0)
    assert isinstance(refused(admission, ONE), TooMany)
    assert admission.enter(OTHER, 0)


def test_all_together_have_a_bound(admission: Admission) -> None:
    for project in (ONE, OTHER):
        for _ in range(PLACES // 2):
            admission.enter(project, 0)
    problem = refused(admission, THIRD)
    assert isinstance(problem, Unavailable)
    assert problem.code == "overloaded"


def test_who_leaves_makes_room(admission: Admission) -> None:
    size = admission.enter(ONE, 4 * OVERHEAD)
    refused(admission, ONE)
    admission.leave(ONE, size)
    assert (admission.taken, dict(admission._by_project)) == (0, {})
    assert admission.enter(ONE, 4 * OVERHEAD) == size


def test_the_usual_bounds_take_the_largest_bodies_by_the_dozen() -> None:
    usual = Admission()
    for _ in range(12):
        usual.enter(ONE, 5_000_000)
