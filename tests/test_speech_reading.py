"""Written lists of texts and how a careful speaker reads them."""

from __future__ import annotations

import pytest
from reading_samples import Case, cases, heard

WRITTEN = cases("reading_cases.txt")
UNSEEN = cases("reading_unseen.txt")


@pytest.mark.parametrize("case", [*WRITTEN, *UNSEEN], ids=lambda case: case.written)
def test_is_read_as_a_careful_speaker_would(case: Case) -> None:
    assert heard(case.written) in case.said


def test_the_lists_are_long_and_of_different_cases() -> None:
    written = [case.written for case in [*WRITTEN, *UNSEEN]]
    assert len(WRITTEN) >= 200
    assert len(UNSEEN) >= 60
    assert len(set(written)) == len(written)


@pytest.mark.parametrize(
    ("written", "said"),
    [("the FBI", "the f b i"), ("NASA", "nasa"), ("CPUs", "c p u s"), ("U.K.", "u k")],
)
def test_the_comparison_tells_letters_from_words(written: str, said: str) -> None:
    assert heard(written) == said
