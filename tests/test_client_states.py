"""What users are told of errors: every code and every class of error has one kind, and every kind has its words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import retake_client
from retake.api.errors import CATALOGUE
from retake_client import errors, starting, transfers
from retake_client.errors import ClientError
from retake_client.states import CODES, ConnectionState, Problem, problem_of, problem_of_code, state_of

SOURCES = sorted(Path(retake_client.__file__).parent.glob("*.py"))


def codes_of_the_client() -> set[str]:
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= {
                    str(word.value.value)
                    for word in node.keywords
                    if word.arg == "code" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
                }
    return found


def classes(base: type[ClientError] = ClientError) -> set[type[ClientError]]:
    return {base}.union(*(classes(child) for child in base.__subclasses__()))


def test_each_code_has_one_kind() -> None:
    listed = [code for codes in CODES.values() for code in codes]
    assert len(listed) == len(set(listed))
    assert set(CODES) == set(Problem)
    assert codes_of_the_client() - {""} <= set(listed), codes_of_the_client() - set(listed)
    assert set(CATALOGUE) <= set(listed), set(CATALOGUE) - set(listed)
    assert len(codes_of_the_client()) > 20


@pytest.mark.parametrize("code", sorted(code for codes in CODES.values() for code in codes))
def test_a_code_counts_more_than_the_class(code: str) -> None:
    expected = next(problem for problem, codes in CODES.items() if code in codes)
    for kind in (errors.BadRequest, errors.ServerFailed, errors.Refused, errors.NotFound):
        assert problem_of(kind("It failed.", "Try again.", code=code)) is expected
    assert problem_of_code(code, "internal") is expected


def test_each_class_has_a_kind_of_its_own_or_its_parents() -> None:
    known = {kind for kind in classes() if kind.__module__.startswith("retake_client")}
    assert {starting.CannotStart, transfers.Stopped, errors.LocalFault, errors.Ended} <= known
    found = {kind: problem_of(transfers.Stopped() if kind is transfers.Stopped else kind("It failed.", "Try.", code="new")) for kind in known}
    assert found[errors.NoDaemon] is Problem.NO_DAEMON
    assert found[errors.TimedOut] is Problem.TOO_SLOW
    assert found[errors.Ended] is Problem.UNREACHABLE
    assert found[errors.Conflict] is Problem.CONFLICT
    assert found[transfers.Stopped] is Problem.STOPPED
    assert set(found.values()) <= set(Problem)


@pytest.mark.parametrize("status", range(400, 600))
def test_any_status_of_any_server_has_a_kind(status: int) -> None:
    error = errors.error_of(status, None)
    assert problem_of(error) in Problem
    assert state_of(error) in ConnectionState


@pytest.mark.parametrize("told", [*Problem, *ConnectionState], ids=lambda told: f"{type(told).__name__}-{told.name}")
def test_one_plain_sentence_and_one_remedy(told: Problem | ConnectionState) -> None:
    for text in (told.sentence, told.remedy):
        assert re.fullmatch(r"[A-Z'].{8,110}\.", text), text
        assert not re.search(r"\b(error|exception|HTTP|null|None|invalid)\b", text)
    assert told.value == told.name.lower()
    assert type(told)(told.value) is told
    others = [other.sentence for other in type(told) if other is not told]
    assert told.sentence not in others


def test_states_of_the_connection() -> None:
    cases = {
        "no_daemon": ConnectionState.ABSENT,
        "unreachable": ConnectionState.UNREACHABLE,
        "timed_out": ConnectionState.UNREACHABLE,
        "wrong_token": ConnectionState.REFUSED,
        "version_mismatch": ConnectionState.MISMATCH,
        "not_ready": ConnectionState.NO_WORKER,
        "unsafe_connection_file": ConnectionState.UNSAFE,
        "wrong_certificate": ConnectionState.UNSAFE,
    }
    for code, state in cases.items():
        assert state_of(ClientError("a", "b", code=code)) is state
    assert state_of(None) is ConnectionState.READY
    assert [state for state in ConnectionState if state.usable] == [ConnectionState.READY, ConnectionState.NO_WORKER]
    assert problem_of_code("does_not_fit") is Problem.DOES_NOT_FIT
    assert problem_of_code("no_face", "bad_input") is Problem.BAD_INPUT
    assert problem_of_code("worker_crashed", "crash") is Problem.FAILED
