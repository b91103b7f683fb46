"""Names that every system takes, and files that are none of ours."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watch_samples import Clock

from retake.watch import claims
from retake.watch.arrivals import EMPTY_SECONDS, STABLE_SECONDS, STALLED_SECONDS, Arrivals
from retake.watch.explain import Failure, explanation
from retake.watch.layout import Layout
from retake.watch.names import is_temporary, safe_stem


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("Opening", "Opening"),
        ("clips/intro.mp4", "clips-intro"),
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\x", "x"),
        ("/", "clip"),
        ("", "clip"),
        ("...", "clip"),
        (".hidden", "hidden"),
        ("CON", "CON_"),
        ("nul.txt", "nul_txt"),
        ("com1", "com1_"),
        ("folder", "folder_"),
        ("folder-25", "folder-25_"),
        ("a\u202eb\x00c", "a-b-c"),
        ("ends with dot.", "ends with dot"),
        ("Ünïcode 東京", "Ünïcode 東京"),
        ("u\u0308", "ü"),
        ('a:b*c?d"e<f>g|h', "a-b-c-d-e-f-g-h"),
        ("v1.2", "v1.2"),
        ("x.MP4", "x"),
        ("\ud800", "clip"),
    ],
)
def test_safe_stems(wanted: str, expected: str) -> None:
    assert safe_stem(wanted) == expected


@given(st.text(max_size=400))
def test_any_name_becomes_a_safe_one(wanted: str) -> None:
    stem = safe_stem(wanted)
    assert stem and len(stem.encode()) <= 122
    assert Path(stem).name == stem and not set(stem) & set('/\\:*?"<>|') and not stem.startswith((".", "~", " "))
    assert stem == unicodedata.normalize("NFC", stem) and stem[-1] not in " ."


@pytest.mark.parametrize("name", ["a.crdownload", "a.txt.part", "~$a.docx", ".DS_Store", ".a.txt", "Thumbs.db", "desktop.ini", "a.txt~", "#a.txt#"])
def test_temporary_names(name: str) -> None:
    assert is_temporary(name)


def test_ordinary_names() -> None:
    assert not any(map(is_temporary, ["a.txt", "part.txt", "a.part.txt", "tmp.md"]))


# Claims


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path)
    found.prepare()
    return found


@pytest.mark.parametrize("name", ["a.txt", "a~b.txt", "no ending~.md", "x" * 240 + ".txt", "ü" * 120 + ".txt", "a~0123456789abc012345.txt"])
def test_a_claimed_file_keeps_its_name(layout: Layout, name: str) -> None:
    (layout.root / name).write_text("Hi.", encoding="utf-8")
    claimed = claims.claim(layout, name)
    assert claimed is not None and claims.claimed_before(layout) == [claimed]
    if len(name.encode()) < 200:
        assert claimed.name == name
    target = claims.put_into_failed(layout, claimed, "why")
    assert target is not None and target.suffix == Path(name).suffix
    assert claims.error_file(target).read_text("utf-8") == "why"


def test_names_that_are_no_text(layout: Layout) -> None:
    raw = os.fsdecode(b"caf\xe9.txt")
    try:
        (layout.root / raw).write_text("Hi.", encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    claimed = claims.claim(layout, raw)
    assert claimed is not None and claimed.name == raw and claimed.shown == "caf?.txt"
    assert claims.put_into_done(layout, claimed) == layout.done / raw


def test_two_of_one_name_are_both_kept(layout: Layout) -> None:
    for content in "ab":
        (layout.root / "x.txt").write_text(content, encoding="utf-8")
        assert claims.claim(layout, "x.txt") is not None
    for claimed in claims.claimed_before(layout):
        claims.put_into_done(layout, claimed)
    assert [(layout.done / name).read_text("utf-8") for name in ("x.txt", "x-2.txt")] == ["a", "b"]


def test_a_file_that_was_taken_away_is_no_error(layout: Layout) -> None:
    (layout.root / "x.txt").write_text("Hi.", encoding="utf-8")
    claimed = claims.claim(layout, "x.txt")
    assert claimed is not None and claims.claim(layout, "x.txt") is None
    claimed.path.unlink()
    assert claims.put_into_done(layout, claimed) is None
    assert claims.put_into_failed(layout, claimed, "why") is None
    assert list(layout.failed.iterdir()) == []


# Arrivals


def test_complete_means_closed_or_stable(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, clock=clock)
    for name in ("closed.txt", "stable.txt", "open.txt"):
        (tmp_path / name).write_text("Hi.", encoding="utf-8")
    (tmp_path / "empty.txt").touch()
    arrivals.note_written("open.txt")
    arrivals.note_written("closed.txt")
    arrivals.note_closed("closed.txt")
    assert arrivals.scan() == ["closed.txt"]
    clock.now += STABLE_SECONDS
    assert arrivals.scan() == ["closed.txt", "stable.txt"]
    clock.now += EMPTY_SECONDS
    assert arrivals.scan() == ["closed.txt", "empty.txt", "stable.txt"]
    clock.now += STALLED_SECONDS
    assert arrivals.scan() == ["closed.txt", "empty.txt", "open.txt", "stable.txt"]


def test_a_change_begins_the_wait_anew(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, clock=clock)
    path = tmp_path / "a.txt"
    path.write_text("H", encoding="utf-8")
    for length in range(2, 6):
        assert arrivals.scan() == []
        clock.now += STABLE_SECONDS * 0.9
        path.write_text("H" * length, encoding="utf-8")
    assert arrivals.scan() == []
    clock.now += STABLE_SECONDS
    assert arrivals.scan() == ["a.txt"]


# Explanations


def test_explanations_say_what_failed_and_what_to_do() -> None:
    one = explanation("a.txt", [Failure("", "It is empty.", "Write something.")], 0)
    assert one == "a.txt was not rendered.\n\nIt is empty.\nWrite something.\n\nThen put the file into the folder again.\n"
    some = explanation("a.csv", [Failure("row 3", "Too long.", "Shorten it.")], 5)
    assert some.startswith("1 of 5 clips of a.csv were not rendered. The other 4 are in the folder 'out'.\n\nRow 3: Too long.\nShorten it.\n")


def test_times_set_behind_the_close_cost_a_moment_not_half_a_minute(tmp_path: Path) -> None:
    clock = Clock()
    arrivals = Arrivals(tmp_path, clock=clock)
    (tmp_path / "copy.txt").write_text("Hi.", encoding="utf-8")
    arrivals.note_written("copy.txt")
    arrivals.note_closed("copy.txt")
    arrivals.note_written("copy.txt")
    assert arrivals.scan() == []
    clock.now += STABLE_SECONDS
    assert arrivals.scan() == ["copy.txt"]
    arrivals.forget("copy.txt")
    (tmp_path / "copy.txt").write_text("Another", encoding="utf-8")
    arrivals.note_written("copy.txt")
    arrivals.scan()
    clock.now += STABLE_SECONDS
    assert arrivals.scan() == []
