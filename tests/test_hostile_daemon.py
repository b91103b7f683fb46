"""The attacks of bench/hostile.py on one running daemon with a worker, fewer of each. Whatever they do, it must be there, the same, and at work."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from enrolled import EnrolledHome
from hostile_attacks import ATTACKS
from hostile_target import Scale, Target, target

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and limits of open files as POSIX has them")

FEW = Scale(examples=1, videos=20, streams=270, idle=1200, slow=3)
# 30 s of waiting for patience to end (tests/test_serve_http.py has it shorter), and what tests/test_api_schemathesis.py does already.
LONG = {"slow callers", "generated calls"}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, presenter_home: EnrolledHome) -> Iterator[Target]:
    with target(tmp_path_factory.mktemp("hostile"), presenter_home.path) as found:
        yield found


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in ATTACKS])
def test_attack(attacked: Target, name: str) -> None:
    attacked.problems.clear()
    row = attacked.attack(name, ATTACKS[name], FEW)
    assert attacked.problems == []
    assert row.cases > 0


def test_what_is_left_of_it(attacked: Target) -> None:
    """Nothing was written outside, and no log holds a token, a traceback, or what lies outside."""
    attacked.problems.clear()
    attacked.check_traces()
    assert attacked.problems == []
    last = attacked.vital_signs("the end")
    assert last.files < 100
