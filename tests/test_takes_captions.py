from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retake.domain.timing import Word
from retake.speech.plan import plan
from retake.takes.captions import LINE_CHARACTERS, LINES, Caption, make_captions, srt, write_srt


def words(text: str, *, each: float = 0.3, start: float = 0.1, gap: float = 0.05) -> list[Word]:
    out: list[Word] = []
    for token in text.split():
        out.append(Word(token, start, start + each))
        start += each + gap
    return out


def test_a_short_line_is_one_caption() -> None:
    spoken = words("Hello, and welcome.")
    (caption,) = make_captions(spoken, duration=3.0)
    assert caption == Caption(("Hello, and welcome.",), 100, 1400)  # 1.1 s of speech and 0.3 s to read the last word


def test_the_file(tmp_path: Path) -> None:
    write_srt(tmp_path / "a.srt", words("Tom & Ann <laugh>. " + "Really!"), duration=3.0)
    expected = "1\n00:00:00,100 --> 00:00:01,500\nTom &amp; Ann &lt;laugh&gt;.\n\n2\n00:00:01,500 --> 00:00:02,500\nReally!\n"
    assert (tmp_path / "a.srt").read_bytes() == expected.encode()


def test_sentences_come_apart_and_lines_are_balanced() -> None:
    spoken = words("The quick brown fox jumps over the lazy dog and runs away. Then it rains.")
    first, second = make_captions(spoken, duration=10.0)
    assert first.lines == ("The quick brown fox jumps over", "the lazy dog and runs away.")
    assert second.lines == ("Then it rains.",)


def test_a_pause_ends_a_caption() -> None:
    spoken = [Word("One", 0.0, 0.4), Word("two", 3.0, 3.4)]
    first, second = make_captions(spoken, duration=5.0)
    assert (first.start, first.end) == (0, 1000)
    assert (second.start, second.end) == (3000, 4000)


def test_no_caption_outlasts_the_clip() -> None:
    (caption,) = make_captions([Word("Hi", 0.0, 0.4)], duration=0.5)
    assert caption.end == 500


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0005, "00:00:00,001"), (1.15, "00:00:01,150"), (59.9996, "00:01:00,000"), (3661.25, "01:01:01,250")]
)
def test_rounding(seconds: float, shown: str) -> None:
    (caption,) = make_captions([Word("a", seconds, seconds + 2)], duration=seconds + 9)
    assert srt([caption]).splitlines()[1].startswith(shown)


def test_silence_gives_an_empty_file(tmp_path: Path) -> None:
    assert write_srt(tmp_path / "a.srt", [], duration=3.0) == []
    assert (tmp_path / "a.srt").read_bytes() == b""


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Zs", "Zl", "Zp", "Cc", "Cs"]), min_size=1, max_size=60)
spans = st.tuples(texts, st.floats(0, 2), st.floats(0, 2))


@given(st.lists(spans, max_size=60), st.floats(0.1, 3.0))
def test_whatever_is_said(pieces: list[tuple[str, float, float]], tail: float) -> None:
    now = 0.0
    spoken: list[Word] = []
    for text, pause, length in pieces:
        spoken.append(Word(text, now + pause, now + pause + length))
        now += pause + length
    captions = make_captions(spoken, duration=now + tail)
    previous = 0
    for caption in captions:
        assert previous <= caption.start < caption.end <= (now + tail) * 1000 + 1
        previous = caption.end
        assert all(line == line.strip() and 0 < len(line) <= LINE_CHARACTERS for line in caption.lines)
    if all(length > 0.05 and len(text) <= LINE_CHARACTERS for text, _, length in pieces):
        said = "".join("".join(caption.lines) for caption in captions).replace(" ", "")
        assert said == "".join(word.text for word in spoken)  # nothing is lost
        assert all(len(caption.lines) <= LINES for caption in captions)


def test_hints_of_the_text_are_not_shown() -> None:
    said = plan("We *never* use [SQL](say: sequel) [pause 0.4], Anna.")
    spoken = words(" ".join(word for utterance in said for word in utterance.words))
    (caption,) = make_captions(spoken, duration=5.0)
    assert caption.lines == ("We never use SQL, Anna.",)
