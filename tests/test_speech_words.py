"""The user's list of words, and what becomes of a text with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from retake.domain.errors import RetakeError
from retake.domain.fingerprint import fingerprint
from retake.speech.text import check, clean, normalise
from retake.speech.words import FILE, MOST, Words, load_words, parse_words

LIST = """
# how we say it
SQL: sequel
Kubernetes: /ˌkubɚˈnɛtiz/
retake: ree take
New York: noo york
C++: see plus plus
"""


@pytest.fixture
def words() -> Words:
    return parse_words(LIST)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SQL is SQL's.", "sequel is sequel's."),
        ("Retake and RETAKE", "ree take and ree take"),  # written small in the list: found in any case
        ("New  York, New York", "noo york, noo york"),
        ("C++, SQL-based", "see plus plus, sequel based"),
        ("*SQL* now", "sequel now"),
        ("[SQL](say: squeal) now", "squeal now"),  # a hint goes before the list
        ("Retaken", "Retaken"),
    ],
)
def test_words_are_said_as_the_list_says(words: Words, text: str, said: str) -> None:
    marked = words.mark(text)
    check(marked)
    assert normalise(marked) == said
    assert clean(marked) == clean(text)


def test_words_with_capitals_are_found_as_written(words: Words) -> None:
    assert words.mark("sql MySQL sql.org anna@SQL.com www.SQL.com/SQL") == "sql MySQL sql.org anna@SQL.com www.SQL.com/SQL"


def test_only_lines_with_a_word_change_with_it(words: Words) -> None:
    changed = Words(words.said | {"SQL": "ess cue ell"})
    lines = ["We like SQL.", "We like [SQL](say: squeal).", "We like Python."]
    keys = [[fingerprint(found.mark(line)) for line in lines] for found in (words, changed)]
    assert [a == b for a, b in zip(*keys, strict=True)] == [False, True, True]
    assert words.used(lines[0]) == {"SQL": "sequel"}
    assert words.used(lines[2]) == {}


def test_a_text_without_listed_words_stays_as_it_is(words: Words) -> None:
    text = "Nothing  of it\n\n— here [pause 1]."
    assert words.mark(text) == text
    assert Words({}).mark(text) == text


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("SQL:", 1, "does not say how"),
        ("a: b\nSQL: s3", 2, "'s3'"),
        ("\n\nx: /ʘi/", 3, "ʘ"),
        ("a: b\na: c", 2, "twice"),
        ("a: &x b\nc: *x", 1, "references"),
        ("a: [b, c]", 1, "more than one value"),
        ("a:\n  b: c", 1, "more than one value"),
        ("- a", 1, "list of"),
        ("a: b\n\tc: d", 2, "not YAML"),
        ("a: !!python/name:os.system x", 1, "types"),
        ("a/b: c", 1, "no word"),
        ("'***': c", 1, "no word"),
    ],
)
def test_mistakes_name_the_line(text: str, line: int, told: str) -> None:
    with pytest.raises(RetakeError, match=re.escape(told)) as caught:
        parse_words(text)
    assert caught.value.code == "bad_words"
    assert caught.value.cause.startswith(f"{FILE}, line {line}: ")
    assert caught.value.remedy


def test_aliases_that_would_grow_are_refused() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(RetakeError, match="references"):
        parse_words(bomb)


def test_too_many_words_are_refused() -> None:
    with pytest.raises(RetakeError, match="5,000 are the most"):
        parse_words("\n".join(f"word{number}: word" for number in range(MOST + 1)))


def test_the_list_is_read_again_when_it_changes(tmp_path: Path) -> None:
    assert load_words(tmp_path).mark("SQL") == "SQL"
    path = tmp_path / FILE
    path.write_text("SQL: sequel\n", encoding="utf-8")
    assert load_words(tmp_path).mark("SQL") == "[SQL](say: sequel)"
    path.write_text("SQL: squeal\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert load_words(tmp_path).mark("SQL") == "[SQL](say: squeal)"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01\x80", b"a: b\n" * 200_000])
def test_files_that_are_no_list_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RetakeError) as caught:
        load_words(tmp_path)
    assert caught.value.code == "bad_words"
