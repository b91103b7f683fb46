"""Script files -> lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from retake.domain.errors import RetakeError
from retake.script import parse_script, parse_text
from retake.script.parse import LARGEST, MOST_LINES


def texts(script: str) -> list[str]:
    return [line.text for line in parse_text(script).lines]


def test_one_paragraph_is_one_line() -> None:
    assert texts("Good morning.\nHow are you?\n\n\nFine, thanks.\n") == ["Good morning. How are you?", "Fine, thanks."]


def test_headings_are_not_spoken_and_the_first_is_the_title() -> None:
    script = parse_text("# My *film* #\n\nOne.\n## Part two\nTwo.\n\nThird part\n==========\nThree.")
    assert script.title == "My film"
    assert [line.text for line in script.lines] == ["One.", "Two.", "Three."]
    assert parse_text("Title\n---\n\nWords.").title == "Title"
    assert parse_text("Words.").title == ""


def test_a_hash_without_space_is_spoken() -> None:
    assert texts("#1 in the charts") == ["#1 in the charts"]


def test_speakers_hold_for_their_paragraph_or_until_the_next_name() -> None:
    script = parse_text("@Anna: Hello.\n@ben: Hi!\n\nNobody said this.\n\n@carl:\n\nFirst.\n\nSecond.\n\n@anna: Third.\n\nFourth.")
    assert [(line.speaker, line.text) for line in script.lines] == [
        ("anna", "Hello."),
        ("ben", "Hi!"),
        (None, "Nobody said this."),
        ("carl", "First."),
        ("carl", "Second."),
        ("anna", "Third."),
        ("carl", "Fourth."),
    ]


def test_list_items_quotes_and_boxes_are_lines() -> None:
    assert texts("- one\n* two\n  goes on\n3. three\n10) ten\n- [x] done\n\n> quoted\n> words") == [
        "one",
        "two goes on",
        "three",
        "ten",
        "done",
        "quoted words",
    ]


def test_what_starts_like_a_list_but_is_none() -> None:
    assert texts("2024 was good.\n\n-5 degrees.\n\n3.5 percent.") == ["2024 was good.", "-5 degrees.", "3.5 percent."]


def test_comments_front_matter_code_and_rules_are_left_out() -> None:
    script = "---\ntitle: Film\n---\n<!-- a\nnote -->\nOne. <!-- inline --> Still one."
    script += "\n\n```python\nprint('no')\n```\n\n* * *\n\nTwo.\n\n---\n\n~~~\nno\n~~~\nThree."
    assert texts(script) == ["One. Still one.", "Two.", "Three."]


def test_an_unclosed_comment_hides_the_rest() -> None:
    assert texts("One.\n\n<!-- rest\n\nTwo.") == ["One."]


def test_marks_are_taken_away_and_words_stay() -> None:
    script = (
        "**Bold**, *soft*, _under_, ~~gone~~ and `code` of [Retake](https://x.y), <b>now</b> snake_case 2 * 3 * 4 \\*star\\* ![a picture](p.png)end"
    )
    assert texts(script) == ["*Bold*, *soft*, under, gone and code of Retake, now snake_case 2 * 3 * 4 \\*star\\* end"]


def test_tables_are_read_row_by_row() -> None:
    assert texts("| a | b |\n|---|:-:|\n| c | d |") == ["a, b", "c, d"] or texts("| a | b |\n|---|:-:|\n| c | d |") == ["a, b c, d"]


def test_ids_survive_edits_moves_and_duplicates() -> None:
    before = parse_text("One.\n\nTwo.\n\nThree.\n\nTwo.")
    edited = parse_text("New.\n\nThree.\n\nTwo.\n\nOne, changed.\n\nTwo.")
    ids = {line.text: line.id for line in before.lines[:3]}
    assert [line.id for line in edited.lines if line.text == "Three."] == [ids["Three."]]
    assert [line.id for line in edited.lines if line.text == "Two."] == [ids["Two."], before.lines[3].id]
    assert len({line.id for line in before.lines}) == 4
    assert parse_text("@a: Hi.").lines[0].id != parse_text("@b: Hi.").lines[0].id
    assert parse_text("One [pause 1] [SQL](say: sequel).").lines[0].id == parse_text("One SQL.").lines[0].id
    assert parse_text("One.\n\nTwo.").lines[0].id == parse_text("# T\n\n> *One.*").lines[0].id


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("latin-1"),
        lambda text: text.replace("\n", "\r\n").encode("utf-8"),
        lambda text: text.replace("\n", "\r").encode("utf-8"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 with mark", "utf-16-le", "utf-16-be", "latin-1", "windows line ends", "old mac line ends"],
)
def test_encodings(tmp_path: Path, encode) -> None:
    file = tmp_path / "my script.md"
    file.write_bytes(encode("# Café\n\nÜber naïve words.\n\nSecond."))
    script = parse_script(file)
    assert script.title == "Café"
    assert [line.text for line in script.lines] == ["Über naïve words.", "Second."]


def test_windows_quotes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "old.txt"
    file.write_bytes("It’s “old”.".encode("cp1252"))
    assert parse_script(file).lines[0].text == "It’s “old”."


def refused(path: Path) -> str:
    with pytest.raises(RetakeError) as caught:
        parse_script(path)
    assert caught.value.cause and caught.value.remedy
    return caught.value.code


def test_what_cannot_be_a_script_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.txt") == "script_missing"
    assert refused(tmp_path) == "script_not_file"
    for name, content, code in (
        ("empty.txt", b"", "script_empty"),
        ("blank.txt", b" \n\n \t\n", "script_empty"),
        ("headings.md", b"# Title\n\n## Two\n\n---\n", "script_empty"),
        ("dots.txt", b"...\n\n!!!", "script_empty"),
        ("names.txt", b"@anna:\n\n@ben:", "script_empty"),
        ("binary.txt", bytes(range(256)) * 20, "script_binary"),
        ("large.txt", b"word " * (LARGEST // 5 + 1), "script_too_large"),
        ("lines.txt", b"word\n\n" * (MOST_LINES + 1), "script_too_large"),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        assert refused(file) == code, name
