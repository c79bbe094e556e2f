"""The fingerprint tells a repeat from another body, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.intake.submission import Submission

TIME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BASE = Submission(type="invoice.paid", data=b'{"id":1}', source="/billing", time=TIME, extensions={"a": "1", "b": "2"})

DIFFERENT: dict[str, Submission] = {
    "type": replace(BASE, type="invoice.made"),
    "data": replace(BASE, data=b'{"id": 1}'),  # other bytes are delivered, so it is another event
    "source": replace(BASE, source="/shop"),
    "subject": replace(BASE, subject="in_1"),
    "time": replace(BASE, time=TIME + timedelta(microseconds=1)),
    "no time": replace(BASE, time=None),
    "consumer": replace(BASE, consumer="acme"),
    "ordering key": replace(BASE, ordering_key="acme"),
    "dataschema": replace(BASE, dataschema="1"),
    "extensions": replace(BASE, extensions={"a": "1"}),
    "an extension's value": replace(BASE, extensions={"a": "1", "b": "3"}),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_is_delivered_otherwise_has_another_fingerprint(other: Submission) -> None:
    assert other.fingerprint() != BASE.fingerprint()
    assert len(other.fingerprint()) == 32


ALIKE: dict[str, Submission] = {
    "the order of extensions": replace(BASE, extensions={"b": "2", "a": "1"}),
    "the trace": replace(BASE, traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    "the key": replace(BASE, idempotency=("key", "k")),
}


@pytest.mark.parametrize("other", ALIKE.values(), ids=ALIKE.keys())
def test_a_repeat_has_the_same(other: Submission) -> None:
    assert other.fingerprint() == BASE.fingerprint()


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
submissions = st.builds(
    Submission, type=texts, data=st.binary(max_size=8), source=texts, subject=texts, consumer=texts,
    ordering_key=texts, dataschema=texts, extensions=st.dictionaries(texts, texts, max_size=3),
)  # fmt: skip


@given(submissions, submissions)
def test_no_text_can_move_from_one_field_to_the_next(one: Submission, other: Submission) -> None:
    assert (one.fingerprint() == other.fingerprint()) == (one == other)
