"""Script documents as timelines: what stands where, ids and slots that stay, errors with their line."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from exchange_samples import edit
from hypothesis import given, settings
from hypothesis import strategies as st

from retake_otio import TimelineError, find_lines
from retake_otio.drafts import draft_clip, estimate
from retake_otio.script_adapter import losses, read_from_string, write_to_string
from retake_otio.spans import layout
from retake_otio.words import own_of, words_of

SCRIPT = """---
# what holds for all lines
title: "The: film"
rate: 29.97
size: 1280x720
speaker: anna
seed: 7
gap: 10
---
# Opening

Good *morning*, [it's](https://example.org) 3 < 4.
<!-- line: abc; slot: 75 -->

<!-- a remark for people -->
<!-- gap: 40 -->

@ben: And good
morning. <!-- conform: keep; slot: 30; seed: 1 -->

```
not spoken
```

## Second
@carla:

- one
2. two
\\@anna: is how one names.

# The end
"""


def said(timeline: otio.schema.Timeline) -> list[tuple[object, object]]:
    return [(words_of(clip).get("speaker"), words_of(clip)["text"]) for clip in timeline.find_clips()]


def test_reads_lines_speakers_sequences_and_times() -> None:
    made = read_from_string(SCRIPT)
    assert made.name == "The: film" and made.global_start_time == otio.opentime.RationalTime(0, 30000 / 1001)
    assert said(made) == [
        ("anna", "Good morning, it's 3 < 4."),
        ("ben", "And good morning."),
        ("carla", "one"),
        ("carla", "two @anna: is how one names."),
    ]
    first, second, third = list(made.find_clips())[:3]
    assert own_of(first) == {"format": 1, "line": "abc", "headings": [{"level": 1, "text": "Opening"}], "sequence": "Opening"}
    assert own_of(second)["conform"] == "keep" and words_of(second)["seed"] == 1 and words_of(first)["seed"] == 7
    assert own_of(third)["sequence"] == "Second" and own_of(third)["conform"] == "ripple" and own_of(third)["estimated"] is True
    assert [(line.start, line.frames) for line in find_lines(made)][:3] == [(0, 75), (115, 30), (155, estimate("one", Fraction(30000, 1001)))]
    assert {line.rate for line in find_lines(made)} == {Fraction(30000, 1001)}
    assert words_of(first)["width"] == 1280 and words_of(first)["height"] == 720
    assert own_of(made)["headings"] == [{"level": 1, "text": "The end"}]


def test_written_and_read_again_it_is_the_same() -> None:
    once = read_from_string(SCRIPT)
    text = write_to_string(once)
    twice = read_from_string(text)
    assert twice.to_json_string() == once.to_json_string() and write_to_string(twice) == text
    changed = read_from_string(text.replace("And good morning.", "Another text."))
    assert [own_of(clip)["line"] for clip in changed.find_clips()] == [own_of(clip)["line"] for clip in once.find_clips()], (
        "ids stay with their lines"
    )


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Co", "Zl", "Zp"), blacklist_characters="\ufeff"), min_size=1, max_size=40)
MARKS = st.text(alphabet="a1 .)(-+*_`#>@:\\<!~[]|=&;\"'", min_size=1, max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.one_of(TEXT, MARKS), st.sampled_from([None, "anna", "ben"]), st.integers(1, 500)), min_size=1, max_size=4))
def test_any_words_come_back(lines: list[tuple[str, str | None, int]]) -> None:
    rate = Fraction(24000, 1001)
    clips: list[otio.schema.Clip] = []
    for number, (text, speaker, frames) in enumerate(lines):
        words = " ".join(text.split())
        if not words or (speaker is not None and words.startswith("@")):
            continue
        parameters = {"text": words, **({"speaker": speaker} if speaker else {})}
        clips.append(draft_clip(f"id-{number}", parameters, frames, rate))
    if not clips:
        return
    timeline = otio.schema.Timeline("t")
    timeline.tracks.append(otio.schema.Track("Lines", clips))
    again = read_from_string(write_to_string(timeline))
    expected = said(timeline)
    assert said(again) == expected
    assert [(laid.start, laid.frames) for laid in layout(again)] == [(laid.start, laid.frames) for laid in layout(timeline)]
    assert [own_of(clip) for clip in again.find_clips()] == [own_of(clip) for clip in timeline.find_clips()]


def test_what_a_text_cannot_hold_is_said(tmp_path: Path) -> None:
    timeline = edit(tmp_path)
    lost = losses(timeline)
    assert "6 takes" in lost and "1 clips without a line" in lost and "1 start timecode" in lost and "3 markers" in lost
    with pytest.warns(UserWarning, match="6 takes"):
        text = write_to_string(timeline)
    assert "<!-- not in this text: " in text and len(read_from_string(text).find_clips()) == 3
    assert losses(read_from_string(SCRIPT)) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("---\nrate: 25\n", 1, "no end"),
        ("---\nrate: fast\n---\nHi.", 2, "no frame rate"),
        ("---\n\nrate: 25\nrate: 30\n---\nHi.", 4, "line 3 already"),
        ("---\nsize: 3x4\n---\nHi.", 2, "no size"),
        ("---\nsize: 641x480\n---\nHi.", 2, "no size"),
        ("---\nspeaker: Ann Lee\n---\nHi.", 2, "speaker"),
        ("---\nseed: -1\n---\nHi.", 2, "no seed"),
        ("---\nconform: squeeze\n---\nHi.", 2, "conform"),
        ("---\ncolour: red\n---\nHi.", 2, "no key 'colour'"),
        ("---\nrate 25\n---\nHi.", 2, "no 'key: value'"),
        ("---\nrate:\n---\nHi.", 2, "no value"),
        ("---\nrate: 25\n---\n\nHi. <!-- line: a b -->", 5, "line: a b"),
        ("Hi.\n\nHo. <!-- slot: 0 -->", 3, "slot: 0"),
        ("Hi. <!-- slot: 5; slot: 6 -->", 1, "slot: 6"),
    ],
)
def test_errors_name_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(TimelineError) as caught:
        read_from_string(text)
    assert caught.value.cause.startswith(f"Line {line}: ") and words in caught.value.cause and caught.value.remedy


@pytest.mark.parametrize("text", ["", "# Only a title", "<!-- nothing -->", "---\nrate: 25\n---\n", "```\ncode\n```"])
def test_a_script_without_a_line_is_refused(text: str) -> None:
    with pytest.raises(TimelineError) as caught:
        read_from_string(text)
    assert caught.value.code == "bad_script"


def test_byte_order_marks_and_line_ends_of_other_systems() -> None:
    assert said(read_from_string("\ufeff" + SCRIPT.replace("\n", "\r\n"))) == said(read_from_string(SCRIPT))


def test_otioconvert_finds_the_adapter(tmp_path: Path) -> None:
    (tmp_path / "a.retake.md").write_text(SCRIPT, encoding="utf-8")
    convert = str(Path(sys.executable).with_name("otioconvert"))
    for source, target in (("a.retake.md", "b.otio"), ("b.otio", "c.retake.md"), ("b.otio", "d.srt")):
        done = subprocess.run([convert, "-i", source, "-o", target], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
    assert said(read_from_string((tmp_path / "c.retake.md").read_text(encoding="utf-8"))) == said(read_from_string(SCRIPT))
    assert "Good morning, it's 3 < 4." in (tmp_path / "d.srt").read_text(encoding="utf-8")
