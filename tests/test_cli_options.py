"""Options that take a text or the name of a file with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from retake.cli_options import text_or_file
from retake.domain.errors import RetakeError


@pytest.mark.parametrize("letter", ["a", "ä", "語"])
@pytest.mark.parametrize("length", [10, 100, 255, 256, 300, 999, 1000, 5000])
def test_a_text_of_any_length_is_a_text(letter: str, length: int) -> None:
    text = letter * length
    assert text_or_file(text, "text") == text


def test_slashes_in_a_long_text(tmp_path: Path) -> None:
    text = "Both and/or neither: " + "word " * 60 + "km/h."
    assert text_or_file(text, "text") == text


def test_a_file_is_read_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("Hello.", encoding="utf-8")
    assert text_or_file(str(path), "text") == "Hello."
    with pytest.raises(RetakeError) as caught:
        text_or_file(str(tmp_path / "other.txt"), "text")
    assert caught.value.code == "no_file"
