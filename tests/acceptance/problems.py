"""Problem details (RFC 9457) as our contract promises them."""

from typing import Any

from tests.acceptance.client import Answer


def assert_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The problem, where the answer is the one expected and complete."""
    assert answer.status == status, str(answer)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json
    assert problem["code"] == code, str(answer)
    assert problem["status"] == status
    assert problem["type"] == f"urn:trunkline:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    return problem


def faults(problem: dict[str, Any]) -> list[tuple[str, str]]:
    """Pointer and code of each."""
    return [(fault["pointer"], fault["code"]) for fault in problem.get("errors", [])]
