"""JSON and YAML as an import reads them: what is refused, and that nothing in a document is run or blown up."""

import pytest

from apps.events.importing.reading import read_document
from apps.kernel.errors import Invalid, Malformed, Problem, TooLarge


def refusal(text: str) -> Problem:
    with pytest.raises(Problem) as caught:
        read_document(text)
    return caught.value


def test_yaml_is_read_as_its_core_schema_has_it() -> None:
    text = """
    on: yes
    no: [~, null, "null", true, True, 0o17, 0x1F, 010, 1_000, 1:30, -5, 1e3, .5, "5"]
    200: 2030-01-02
    anchors: [&a {x: 1}, *a]
    text: |
      two
      lines
    """
    assert read_document(text) == {
        "on": "yes",
        "no": [None, None, "null", True, True, 15, 31, 10, "1_000", "1:30", -5, 1000.0, 0.5, "5"],
        "200": "2030-01-02",
        "anchors": [{"x": 1}, {"x": 1}],
        "text": "two\nlines\n",
    }


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read_document('\ufeff{"a": 1}') == read_document("\ufeffa: 1") == {"a": 1}


def test_yaml_and_json_of_a_document_give_the_same() -> None:
    assert read_document('{"a": [1, 1.5, "x", null, true]}') == read_document("a: [1, 1.5, x, null, true]")


BILLION_LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1,}',
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        "a: [1",
        "a: 1\na: 2",
        "a: {b: 1, b: 2}",
        "a: 1\n---\nb: 2",
        "a: .nan",
        "a: -.inf",
        "a: !!python/object/apply:os.system [ls]",
        "a: !!binary aGVsbG8=",
        "a: !!set {x, y}",
        "a: !!timestamp 2030-01-02",
        "a: !own 5",
        "? [a]\n: 1",
        "a: *nowhere",
        "a: &a [*a]",
        "a: \t1\n\tb: 2",
        "a: \x00",
        "a: 0x" + "f" * 5_000_000,
        "- " * 100_000,
        "[" * 100_000,
        "a: " + "[" * 100_000,
        "a: " + "{x: " * 100_000,
        '{"a":' * 1_000 + "1" + "}" * 1_000,
        BILLION_LAUGHS,
    ],
    ids=lambda text: repr(text[:30]),
)
def test_what_cannot_be_read_is_malformed(text: str) -> None:
    problem = refusal(text)
    assert isinstance(problem, Malformed | TooLarge), problem.detail
    assert len(problem.detail) <= 500


@pytest.mark.parametrize("text", ["", " ", "just words", "- a\n- b", "5", "~", "# only a comment"])
def test_yaml_that_is_no_object_is_refused(text: str) -> None:
    assert isinstance(refusal(text), Invalid)


@pytest.mark.parametrize("text", ["a: " + "x" * 5_000_000, '{"a": "' + "x" * 20_000_000 + '"}'])
def test_what_is_too_large_is_not_read(text: str) -> None:
    assert isinstance(refusal(text), TooLarge)
