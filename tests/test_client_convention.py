"""Script text: who says what, read from markers and written into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.api import models
from retake.domain.speaker import NAME
from retake.speech import text as speech
from retake_client import convention
from retake_client.convention import ScriptText, format_line, is_line_id, marker_name, new_line_id, parse_line, read_marker, speaker_problem


@pytest.mark.parametrize(
    ("written", "speaker", "text"),
    [
        ("@presenter: Hello everyone", "presenter", "Hello everyone"),
        ("  @Anna-K :Hello\n", "anna-k", "Hello"),
        ("@anna:\nFirst.\r\nSecond.", "anna", "First.\nSecond."),
        ("@anna", "anna", ""),
        ("@anna:", "anna", ""),
        ("Hello.", None, "Hello."),
        ("Mail me@home: now", None, "Mail me@home: now"),
        ("\\@anna: is how.", None, "@anna: is how."),
        ("\\\\@x", None, "\\@x"),
        ("@anna: @home we say: hi", "anna", "@home we say: hi"),
        ("@ anna: hi", None, "@ anna: hi"),
        ("\ufeff@anna: hi", "anna", "hi"),
        ("@anna: a\u2028b", "anna", "a\nb"),
        ("@10: we meet", "10", "we meet"),
        ("", None, ""),
        ("@", None, "@"),
        ("@" + "a" * 64 + ": hi", None, "@" + "a" * 64 + ": hi"),
    ],
)
def test_reading(written: str, speaker: str | None, text: str) -> None:
    found = parse_line(written)
    assert (found.speaker, found.text) == (speaker, text)


@pytest.mark.parametrize(
    ("written", "speaker", "doubt"),
    [
        ("@Jörg: Hallo", "jörg", "cannot be a speaker's name"),
        ("@anna.k: Hi", "anna.k", "cannot be a speaker's name"),
        ("@presenter Hello everyone", None, "write '@presenter:'"),
        ("@Anna K: Hello", None, "write '@anna-k:'"),
        ("Hello", None, ""),
        ("@anna: Hello", "anna", ""),
    ],
)
def test_what_may_be_meant_otherwise_is_said(written: str, speaker: str | None, doubt: str) -> None:
    """A name that the daemon does not take stays a name, so that nobody says it aloud."""
    found = parse_line(written)
    assert found.speaker == speaker
    assert doubt in found.doubt and bool(found.doubt) == bool(doubt)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60) | st.text("@\\: \nab", max_size=12)


@given(speaker=st.none() | st.from_regex(NAME, fullmatch=True), text=TEXTS)
def test_what_is_written_is_read_again(speaker: str | None, text: str) -> None:
    plain = parse_line("x: " + text).text[2:].strip()  # ends of lines and blanks at both ends do not matter
    found = parse_line(format_line(speaker, text))
    assert (found.speaker, found.text.strip()) == (speaker, plain)


@given(TEXTS)
def test_anything_can_be_read(text: str) -> None:
    found = parse_line(text)
    assert parse_line(format_line(found.speaker, found.text)) in {found, ScriptText(found.speaker, found.text)}


@pytest.mark.parametrize(
    ("name", "comment", "found"),
    [
        ("@anna: Hello.", "", ("anna", "Hello.")),
        ("@anna", "Hello.\nAgain.", ("anna", "Hello.\nAgain.")),
        ("Marker 1", "@anna: Hello.", ("anna", "Hello.")),
        ("@anna: Hello everyo…", "@anna: Hello everyone.", ("anna", "Hello everyone.")),
        ("@anna", "@ben: Hello.", ("ben", "Hello.")),
        ("@anna", "", ("anna", "")),
        ("@anna: Hello.", "a note", ("anna", "a note")),
        ("Chapter", "a note", None),
        ("", "", None),
    ],
)
def test_markers(name: str, comment: str, found: tuple[str, str] | None) -> None:
    line = read_marker(name, comment)
    assert (line and (line.speaker, line.text)) == found


@given(speaker=st.none() | st.from_regex(NAME, fullmatch=True), text=TEXTS)
def test_names_of_markers_fit(speaker: str | None, text: str) -> None:
    name = marker_name(speaker, text)
    assert len(name.encode("utf-8")) <= 63
    assert "\n" not in name
    if speaker is not None and len(speaker) < 50:
        assert parse_line(name).speaker == speaker


def test_limits_are_the_daemons() -> None:
    assert convention.SPEAKER.pattern == NAME.pattern
    assert convention.LONGEST_TEXT == speech.LONGEST
    assert f"^{convention._LINE_ID.pattern}$" in str(models.TakeRequestIn.model_fields["line_id"])
    assert is_line_id(new_line_id()) and len({new_line_id() for _ in range(100)}) == 100
    assert not any(is_line_id(value) for value in ("", "a" * 65, "a b", "ä", 7, None))
    assert speaker_problem("anna-k") == ""
    assert "anna-k" in speaker_problem("Anna")
    assert convention.text_problem("") and convention.text_problem("a" * 10_001) and not convention.text_problem("a")
