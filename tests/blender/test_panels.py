"""The panels, drawn into a recording layout in real Blender, in every state users can come into."""

from __future__ import annotations

import pytest
from host import Blender


@pytest.fixture(scope="module")
def drawing(installed: Blender) -> dict:
    return installed.run("drawing", seconds=90)


def test_every_state_is_drawn_and_says_what_to_do(drawing: dict) -> None:
    states = drawing["states"]
    assert "[Start Retake]" in states["ABSENT"]
    assert "Retake is starting." in states["STARTING"]
    for name in ("UNREACHABLE", "REFUSED", "MISMATCH", "UNSAFE"):
        assert "[Try Again]" in states[name], name
        assert "[Doctor]" in states[name], name
    assert "Retake 0.1.0" in states["empty scene"]
    assert "2 waiting" in states["empty scene"]


def test_what_is_missing_is_named_with_a_remedy(drawing: dict) -> None:
    states = drawing["states"]
    assert "Nobody can speak yet." in states["no speaker"]
    assert "[Enrol Speaker]" in states["no speaker"]
    assert "Choose who speaks" in states["empty scene"]
    assert "does not know 'somebody'" in " ".join(states["unknown speaker"].split())
    assert "There is no speaker 'nobody_knows'" in " ".join(states["a line with a problem"].split())
    assert "1 line cannot be filled yet" in states["three lines"]
    assert "Fill All (2)" in states["three lines"]


def test_progress_and_failures_are_lines_of_their_own(drawing: dict) -> None:
    text = drawing["states"]["running and failed"]
    assert "12 s 40 %" in text
    assert "Lengthen the strip to 63" in " ".join(text.split())


def test_takes_of_the_selected_strip(drawing: dict) -> None:
    text = drawing["states"]["takes, the file gone"]
    assert "3 rows" in text
    for button in ("[Try Again]", "[Lock]", "[Show]", "[Compare]"):
        assert button in text
    assert "not where it was" in " ".join(text.split())
    assert "[Fetch Missing Takes]" in text
    assert "Fetching 1 of 1 missing takes" in text
    assert not any("could not be brought up to date" in " ".join(state.split()) for state in drawing["states"].values())
    assert "[Unlock]" in drawing["states"]["locked"]


def test_long_timelines_stay_quick(drawing: dict) -> None:
    """Blender draws a sidebar dozens of times a second while the mouse is over it."""
    assert drawing["seconds"]["fresh"] < 0.5, drawing["seconds"]
    assert drawing["seconds"]["cached"] < 0.1, drawing["seconds"]
    assert "and 19" in drawing["states"]["200 under way"]


def test_preferences_show_what_matters(drawing: dict) -> None:
    assert "Token File" not in drawing["forms"]["LOCAL FILE"]
    assert "Token File" in drawing["forms"]["ADDRESS FILE"]
    assert "The path map is not of the form" in drawing["forms"]["ADDRESS TYPED"]
