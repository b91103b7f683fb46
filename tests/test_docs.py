"""What documents promise by name exists."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from retake.cli_takes import MEANINGS
from retake.takes.mouth import MouthFigures, compare

ROOT = Path(__file__).resolve().parent.parent
INTERFACE = re.compile(r"^    ((?:[a-z_]+\.)+)([A-Za-z_]+)(\([^)]*\))?", re.MULTILINE)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def interfaces() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Interfaces between the stages")[2]
    return [(match[1][:-1], match[2], match[3] or "") for match in INTERFACE.finditer(text)]


@pytest.mark.parametrize(("module", "name", "arguments"), interfaces(), ids=lambda value: value)
def test_interfaces(module: str, name: str, arguments: str) -> None:
    found = getattr(importlib.import_module(f"retake.{module}"), name)
    if arguments:
        known = inspect.signature(found).parameters
        named = [part.split("=")[0].strip() for part in arguments.strip("()").split(",")]
        assert [part for part in named if part not in {"", "*", "..."} and part not in known] == []


def test_there_are_interfaces_to_look_at() -> None:
    assert len(interfaces()) > 40


def test_every_figure_is_defined() -> None:
    page = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    nothing = MouthFigures(*([1.0] * 2), 1, *([1.0] * 3), 1)
    names = {*MEANINGS, *compare(nothing, nothing)}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_ours_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"`((?:bench|tests|daemon|docs)/[\w/.-]+\.\w+)`", document.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
