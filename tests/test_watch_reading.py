"""What dropped files ask for, and what is said about those that cannot be read."""

from __future__ import annotations

import codecs
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retake.domain.errors import RetakeError
from retake.media import safe_data
from retake.watch import template
from retake.watch.reader import LARGEST, read_drop
from retake.watch.texts import decode
from retake.watch.wish import Cue, Drop, Options


def read(name: str, content: str | bytes) -> Drop:
    return read_drop(content if isinstance(content, bytes) else content.encode(), name)


def refused(name: str, content: str | bytes) -> RetakeError:
    with pytest.raises(RetakeError) as caught:
        read(name, content)
    assert caught.value.cause and caught.value.remedy
    return caught.value


def texts(drop: Drop) -> list[str]:
    return [wish.text for wish in drop.wishes]


# Encodings


@pytest.mark.parametrize(
    "content",
    [
        "Grüße, 東京".encode(),
        codecs.BOM_UTF8 + "Grüße, 東京".encode(),
        "Grüße, 東京".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Grüße, 東京".encode("utf-16-be"),
    ],
)
def test_encodings_that_say_what_they_are(content: bytes) -> None:
    assert decode(content) == "Grüße, 東京"


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ("one\ntwo\nGrüße".encode("cp1252"), "bad_encoding", "Line 3"),
        ("x".encode("utf-32"), "bad_encoding", "UTF-32"),
        (b"\x00\x01\x02", "not_text", ""),
        ("x".encode("utf-16-le"), "not_text", ""),
        (codecs.BOM_UTF16_LE + b"x", "bad_encoding", ""),
    ],
)
def test_other_encodings_are_told(content: bytes, code: str, place: str) -> None:
    error = refused("a.txt", content)
    assert error.code == code and place in error.cause and "UTF-8" in error.remedy


# Text and Markdown


def test_plain_text_is_one_clip() -> None:
    drop = read("a.txt", "Hello\nthere.")
    assert texts(drop) == ["Hello there."] and not drop.together
    assert drop.wishes[0].options == Options()


def test_front_matter_holds_for_all_lines_and_a_named_speaker_wins() -> None:
    drop = read("a.md", "---\r\nspeaker: '@Anna'\r\nfps: 29.97\r\nsize: 1920x1080\r\nseed: 007\r\n---\r\n# T\r\n\r\nOne.\r\n\r\n@ben: Two.\r\n")
    assert [wish.options.speaker for wish in drop.wishes] == ["anna", "ben"]
    assert {(wish.options.fps, wish.options.size, wish.options.seed) for wish in drop.wishes} == {("30000/1001", (1920, 1080), 7)}
    assert drop.title == "T" and drop.together


def test_an_empty_front_matter_is_fine() -> None:
    assert texts(read("a.md", "---\n---\nHello.")) == ["Hello."]


@pytest.mark.parametrize(
    ("front", "code", "told"),
    [
        ("speakr: anna", "unknown_option", "speaker, fps, size, fit, seed, output"),
        ("text: Hi", "unknown_option", "speaker, fps"),
        ("seed: -1", "bad_option", "whole number"),
        ("fit: 0", "bad_option", "2.5"),
        ("fit: nan", "bad_option", "2.5"),
        ("size: 1920", "bad_size", "1920x1080"),
        ("size: 1921x1080", "bad_size", "even"),
        ("fps: 1e999999999", "bad_rate", "25"),
        ("- a list", "bad_front_matter", "seed: 3"),
        ("speaker: [a, b]", "bad_front_matter", "seed: 3"),
        ("speaker: a\nspeaker: b", "repeated_key", "Keep one"),
        ("a: [", "bad_yaml", "Correct"),
    ],
)
def test_front_matter_that_is_wrong(front: str, code: str, told: str) -> None:
    error = refused("a.md", f"---\n{front}\n---\nHello.")
    assert error.code == code and told in error.remedy


def test_the_line_of_the_file_is_told() -> None:
    assert refused("a.md", "---\nspeaker: anna\nseed: &x 1\n---\nHello.").cause.startswith("Line 3:")


def test_fit_is_for_one_line() -> None:
    assert texts(read("a.md", "---\nfit: 3\n---\nHello.")) == ["Hello."]
    assert refused("a.md", "---\nfit: 3\n---\nOne.\n\nTwo.").code == "bad_option"


# JSON and YAML


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"text": "Hi.", "seed": 3, "fit": 2.50, "fps": null}'),
        ("a.json", '[{"text": "Hi.", "seed": "3", "fit": 2.5}]'),
        ("a.json", '{"seed": 3, "lines": [{"text": "Hi.", "fit": 2.5}]}'),
        ("a.yaml", "text: Hi.\nseed: 3\nfit: 2.5\nfps: \n"),
        ("a.yml", "- text: Hi.\n  seed: 3\n  fit: 2.5\n"),
    ],
)
def test_the_same_in_every_form(name: str, content: str) -> None:
    drop = read(name, content)
    assert texts(drop) == ["Hi."]
    assert (drop.wishes[0].options.seed, drop.wishes[0].options.fit, drop.wishes[0].options.fps) == (3, 2.5, None)


def test_words_that_yaml_takes_for_values_stay_words() -> None:
    assert texts(read("a.yaml", "lines: [yes, 1:30, 012, ~, null, 2026-01-01]")) == ["yes", "1:30", "012", "~", "null", "2026-01-01"]


def test_a_list_of_lines_with_options_for_all() -> None:
    drop = read("a.yaml", "title: Launch\nspeaker: anna\nlines:\n  - Hello.\n  - text: Bye.\n    speaker: ben\n    output: end\n")
    assert [(wish.text, wish.options.speaker, wish.options.output) for wish in drop.wishes] == [("Hello.", "anna", None), ("Bye.", "ben", "end")]
    assert drop.title == "Launch" and drop.together


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8))


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.yaml", BOMB, "yaml_alias"),
        ("a.yaml", "text: &a Hi", "yaml_alias"),
        ("a.yaml", "text: *a", "yaml_alias"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "yaml_tag"),
        ("a.yaml", "text: !!str Hi", "yaml_tag"),
        ("a.yaml", "[" * 400_000, "too_deep"),
        ("a.yaml", "".join(" " * i + f"a{i}:\n" for i in range(50)), "too_deep"),
        ("a.yaml", "? [a]\n: b", "bad_yaml"),
        ("a.yaml", "a: b\n---\nc: d", "bad_yaml"),
        ("a.yaml", "text: a: b", "bad_yaml"),
        ("a.yaml", "just words", "bad_shape"),
        ("a.yaml", "text: Hi\ntext: Ho", "repeated_key"),
        ("a.json", "[" * 5_000_000, "too_deep"),
        ("a.json", '{"a":' * 100_000, "too_deep"),
        ("a.json", '{"text": "a", "text": "b"}', "repeated_key"),
        ("a.json", '{"text": NaN}', "bad_json"),
        ("a.json", "{'text': 'Hi'}", "bad_json"),
        ("a.json", '"Hi"', "bad_shape"),
        ("a.json", "[]", "nothing_to_say"),
        ("a.json", '{"lines": "Hi"}', "bad_shape"),
        ("a.json", '{"text": "Hi", "lines": []}', "bad_shape"),
        ("a.json", '{"text": ["Hi"]}', "bad_shape"),
        ("a.json", '{"speaker": "anna"}', "bad_shape"),
        ("a.json", '{"text": "Hi", "audio": "/etc/passwd"}', "unknown_option"),
        ("a.json", '{"text": "Hi", "seed": true}', "bad_option"),
        ("a.json", '{"text": "Hi", "seed": ' + "9" * 10_000 + "}", "bad_option"),
        ("a.json", '[[{"text": "Hi"}]]', "bad_shape"),
        ("a.json", str(["x"] * 10_001).replace("'", '"'), "too_many_clips"),
    ],
)
def test_data_that_is_refused_at_once(name: str, content: str, code: str) -> None:
    start = time.perf_counter()
    assert refused(name, content).code == code
    assert time.perf_counter() - start < 5


def test_errors_in_a_list_name_the_line() -> None:
    assert refused("a.json", '["One.", {"text": "Two.", "sed": 1}]').cause.startswith("Line 2: 'sed'")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(LARGEST)))
def test_nothing_but_told_errors_whatever_the_bytes(content: bytes, suffix: str) -> None:
    try:
        read(f"a{suffix}", content)
    except RetakeError as error:
        assert error.cause and error.remedy


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]:,"&*!|>-?#%\n abc1\\\t', max_size=120), st.sampled_from([".json", ".yaml", ".md", ".csv", ".srt"]))
def test_nothing_but_told_errors_whatever_the_marks(content: str, suffix: str) -> None:
    try:
        read(f"a{suffix}", content)
    except RetakeError as error:
        assert error.cause and error.remedy


# Tables


def test_separators_quotes_and_order_of_columns() -> None:
    for separator in ",;\t":
        content = f'output{separator}TEXT{separator}Name\r\nx{separator}"Hi {{name}}{separator} you\r\nthere"{separator}Anna\r\n'
        drop = read("a.csv", content)
        assert [text.split() for text in texts(drop)] == [f"Hi Anna{separator} you there".split()]
        assert drop.wishes[0].options.output == "x"
        assert not drop.together


def test_an_empty_text_takes_the_template_above() -> None:
    drop = read("a.csv", "name,text\nAnna,Hi {name}!\nBen,\n\n,\nCleo,Bye {{{name}}}.\n")
    assert texts(drop) == ["Hi Anna!", "Hi Ben!", "Bye {Cleo}."]
    assert [wish.where for wish in drop.wishes] == ["row 2", "row 3", "row 6"]


def test_values_are_not_templates_themselves() -> None:
    assert texts(read("a.csv", "name,text\n{secret},Hi {name}!\n")) == ["Hi {secret}!"]


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        ("", "nothing_to_say", "text"),
        ("text\n", "nothing_to_say", "row"),
        ("name,txt\nA,B\n", "missing_column", "name, txt"),
        ("name,name,text\nA,B,C\n", "bad_csv", "Rename"),
        ("name,,text\nA,B,C\n", "bad_csv", "Columns"),
        ("name,text\nA,B,C\n", "bad_row", "quotes"),
        ("name,text\nA,\n", "no_text", "above"),
        ("name,text\nA,Hi {nme}\n", "missing_column", "name, text"),
        ("name,text\n,Hi {name}\n", "empty_value", "{name}"),
        ("name,text\nA,Hi {name.__class__}\n", "bad_template", "Only plain"),
        ("name,text\nA,Hi {name!r}\n", "bad_template", "Only plain"),
        ("name,text\nA,Hi {name:>10}\n", "bad_template", "Only plain"),
        ("name,text\nA,Hi {}\n", "bad_template", "Only plain"),
        ("name,text\nA,Hi {0\n", "bad_template", "{{"),
        ('name,text\nA,"Hi\n', "bad_csv", "quotes"),
        ('name,text\nA,"Hi"x\n', "bad_csv", "quotes"),
        ("fps,text\nfast,Hi\n", "bad_rate", "25"),
        ("text\n" + "x\n" * 10_001, "too_many_clips", "Split"),
        (",".join(f"c{i}" for i in range(500)) + ",text\n", "bad_csv", "Remove"),
        ("text\n" + "x" * 200_000, "bad_csv", "quotes"),
        ("text,a\n" + "{a}" * 40_000 + "," + "x" * 120_000 + "\n", "text_too_long", "Split"),
        ("text,a\n" + "x" * 100_000 + "{a},b\n", "text_too_long", "Split"),
    ],
)
def test_tables_that_are_wrong(content: str, code: str, told: str) -> None:
    error = refused("a.csv", content)
    assert error.code == code and told in error.remedy


def test_problems_of_several_rows_are_told_together() -> None:
    error = refused("a.csv", "name,text\n,Hi {name}\nBen,\n,\n,Hi {nam}\n")
    assert error.code == "several_problems"
    assert "2 of 3 rows" in error.cause and "Row 2" in error.cause and "Row 5" in error.cause


@given(st.text(max_size=40), st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=10), max_size=3))
def test_templates_only_put_in_values(text: str, row: dict[str, str]) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert template.fill(escaped, row) == text


# Subtitles


def test_cues_in_order_without_marks() -> None:
    drop = read(
        "a.srt",
        "2\r\n00:00:05,000 --> 00:00:06,500 X1:100\r\n{\\an8}<i>Second</i> &amp; last\r\n- line\r\n\r\n1\r\n0:0:1.5 --> 0:0:3.25\r\nFirst\r\n\r\n",
    )
    assert texts(drop) == ["First", "Second & last line"]
    assert [wish.cue for wish in drop.wishes] == [Cue(1.5, 3.25), Cue(5.0, 6.5)]
    assert drop.together


def test_cues_without_words_are_left_out_and_overlaps_cut() -> None:
    drop = read("a.srt", "1\n00:00:01,000 --> 00:00:02,200\nOne\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo\n\n3\n00:00:04,000 --> 00:00:05,000\n♪ ♪\n")
    assert [(wish.text, wish.cue) for wish in drop.wishes] == [("One", Cue(1.0, 2.0)), ("Two", Cue(2.0, 3.0))]


def test_a_number_that_is_said_stays() -> None:
    drop = read("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nThe answer is\n42\n\n2\n00:00:03,000 --> 00:00:04,000\n7\n")
    assert texts(drop) == ["The answer is 42", "7"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("Hello\n", "Line 1"),
        ("1\n00:00:01 --> 00:00:02\nHi\n", "Line 2"),
        ("1\n00:00:02,000 --> 00:00:01,000\nHi\n", "Cue 1 (line 2)"),
        ("1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\n00:00:01,050 --> 00:00:03,000\nB\n", "Cue 1"),
        ("1\n00:00:99,000 --> 00:00:02,000\nHi\n", "Line 2"),
    ],
)
def test_subtitles_that_are_wrong(content: str, place: str) -> None:
    error = refused("a.srt", content)
    assert error.code == "bad_srt" and place in error.cause


def test_readers_end_soon_on_long_hostile_input() -> None:
    dice = random.Random(1)
    marks = '"{}[],;:\n-> &*!'
    long = "".join(dice.choice(marks) for _ in range(200_000))
    for name in ("a.json", "a.yaml", "a.csv", "a.srt", "a.md", "a.txt"):
        start = time.perf_counter()
        refused_or_read(name, long)
        assert time.perf_counter() - start < 5, name


def refused_or_read(name: str, content: str) -> None:
    try:
        read(name, content)
    except RetakeError as error:
        assert error.remedy


def test_json_depth_is_counted_outside_of_words() -> None:
    assert safe_data.read_json('{"text": "[[[[[[[[[[[[[[[[[["}') == {"text": "[" * 18}


def test_yaml_with_control_characters_is_told_as_bad() -> None:
    with pytest.raises(RetakeError) as caught:
        safe_data.read_yaml("text: a\x0bb")
    assert caught.value.code == "bad_yaml"
