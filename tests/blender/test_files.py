"""Scripts and timelines out of Blender and in again, by its own operators."""

from __future__ import annotations

from pathlib import Path

from host import Blender

TEXTS = ["We ship on Friday.", "The weather is nice."]


def test_lines_come_back_from_every_format(installed: Blender, tmp_path: Path) -> None:
    answer = installed.run("files", folder=str(tmp_path), texts=TEXTS)
    assert answer["written"] == {".otio": ["FINISHED"], ".retake.md": ["FINISHED"], ".srt": ["FINISHED"]}
    for ending, found in answer["back"].items():
        assert [text for text, _, _ in found] == TEXTS, ending
    assert [tuple(line[1:]) for line in answer["back"][".otio"]] == [(1, 50), (101, 50)]
    assert answer["bad"] == ["CANCELLED"]
