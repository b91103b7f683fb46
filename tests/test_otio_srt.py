"""Captions as timelines: frames exact both ways, odd files, errors with their line."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake_otio import TimelineError, find_lines
from retake_otio.cues import format_cues, parse_cues
from retake_otio.drafts import draft_clip, gap
from retake_otio.srt_adapter import read_from_string, write_to_string
from retake_otio.words import words_of

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60000, 1001), Fraction(120)]


def places(timeline: otio.schema.Timeline) -> list[tuple[str, int, int | None]]:
    return [(str(line.wants["text"]), line.start, line.frames) for line in find_lines(timeline)]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 5000)), min_size=1, max_size=6), st.booleans())
def test_frames_come_back_exactly(rate: Fraction, lengths: list[tuple[int, int]], speakers: bool) -> None:
    track = otio.schema.Track("Lines")
    for number, (before, frames) in enumerate(lengths):
        if before:
            track.append(gap(before, rate))
        track.append(draft_clip(f"id{number}", {"text": f"Line {number} <b> & {{\\an8}} Ünï", "speaker": "anna"}, frames, rate))
    timeline = otio.schema.Timeline("t")
    timeline.tracks.append(track)
    again = read_from_string(write_to_string(timeline, speakers=speakers), rate=str(rate))
    assert places(again) == places(timeline)
    assert {words_of(clip).get("speaker") for clip in again.find_clips()} == ({"anna"} if speakers else {None})


def test_odd_files() -> None:
    first = "\ufeff00:00:01,000 --> 00:00:02.5 X1:0 Y1:0\r\n<i>Hello</i>\r\n{\\an8}there &amp; you\r\n\r\n7\r\n"
    second = "0:0:3,0 --> 00:00:04,000\r\n@ben: Bye.\r\n\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n♪\r\n"
    made = read_from_string(first + second, rate=25)
    assert places(made) == [("Hello there & you", 25, 38), ("Bye.", 75, 25)]
    assert [words_of(clip).get("speaker") for clip in made.find_clips()] == [None, "ben"]
    turned = "2\n00:00:03,000 --> 00:00:04,000\nLater.\n\n1\n00:00:01,000 --> 00:00:02,000\nEarlier.\n"
    assert [cue.text for cue in parse_cues(turned)] == ["Earlier.", "Later."]


def test_overlaps_are_refused_or_laid_on_tracks() -> None:
    text = format_cues([(0, 2000, "One."), (1000, 3000, "Two."), (2000, 4000, "Three.")])
    with pytest.raises(TimelineError) as caught:
        read_from_string(text, rate=25)
    assert caught.value.cause == "Cue 2 (line 6) begins before cue 1 has ended." and "overlaps=track" in caught.value.remedy
    made = read_from_string(text, rate=25, overlaps="track")
    assert [[clip.name for clip in track.find_clips()] for track in made.tracks] == [["One.", "Three."], ["Two."]]
    assert places(made) == [("One.", 0, 50), ("Two.", 25, 50), ("Three.", 50, 50)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1\n00:00:01 --> 00:00:02,000\nHi.\n", "Line 2: these times"),
        ("1\n00:00:02,000 --> 00:00:01,000\nHi.\n", "Cue 1 (line 2) ends"),
        ("1\n00:00:01,000 --> 00:00:01,001\nHi.\n", "Cue 1 (line 2) is shorter than a frame"),
        ("Hello.\n", "Line 1: this is no subtitle file"),
        ("", "no caption with words"),
        ("1\n00:00:01,000 --> 00:00:02,000\n...\n", "no caption with words"),
    ],
)
def test_errors_name_the_line(text: str, words: str) -> None:
    with pytest.raises(TimelineError) as caught:
        read_from_string(text, rate="25")
    assert words in caught.value.cause and caught.value.code == "bad_srt"


def test_a_frame_rate_is_needed() -> None:
    text = format_cues([(0, 1000, "Hi.")])
    for rate, code in ((None, "no_rate"), ("", "no_rate"), ("0", "bad_rate"), ("1/0", "bad_rate"), ("fast", "bad_rate"), (1e9, "bad_rate")):
        with pytest.raises(TimelineError) as caught:
            read_from_string(text, rate=rate)
        assert caught.value.code == code
    with pytest.raises(TimelineError) as caught:
        write_to_string(otio.schema.Timeline("empty"))
    assert caught.value.code == "no_lines"
