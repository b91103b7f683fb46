"""`retake fill` and `retake markers`: what a user reads and gets; one real edit, filled and measured."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from enrolled import EnrolledHome, run_retake

from retake import cli
from retake.domain.rate import FrameRate
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake_otio import read_timeline, write_timeline

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange
RATE = 30000 / 1001


def span(start: float, frames: float) -> otio.opentime.TimeRange:
    return Range(Time(start, RATE), Time(frames, RATE))


def footage(name: str, frames: int) -> otio.schema.Clip:
    return otio.schema.Clip(name, source_range=span(0, frames), media_reference=otio.schema.ExternalReference("/media/a.mov", span(0, 1000)))


def edit(path: Path, *, size: bool = True) -> Path:
    """Two pieces of footage with a dissolved slate between them, a title above, and two markers."""
    small = {"width": 160, "height": 160} if size else {}
    made = otio.schema.Timeline("cut", global_start_time=Time(107_892, RATE))
    slate = otio.schema.Clip("slate", source_range=span(0, 70), metadata={"retake": {"text": "Good morning, everybody.", **small}})
    dissolves = [otio.schema.Transition("d", "SMPTE_Dissolve", in_offset=Time(6, RATE), out_offset=Time(8, RATE)) for _ in range(2)]
    made.tracks.append(otio.schema.Track("V1", children=[footage("a", 50), dissolves[0], slate, dissolves[1], footage("b", 200)]))
    made.tracks.append(otio.schema.Track("V2", children=[otio.schema.Gap(source_range=span(0, 150)), footage("title", 40)]))
    for text, start, frames in (("We ship on Friday.", 130, 64), ("Thank you.", 240, 0)):
        marker = otio.schema.Marker(f"@presenter: {text}", marked_range=span(start, frames))
        marker.metadata["retake"] = dict(small)
        made.tracks.markers.append(marker)
    write_timeline(path, made)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.run(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_lines_of_a_timeline_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edit(tmp_path / "cut.otio")
    code, out, _ = run(capsys, "markers", str(path))
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["timecode", "frame", "length", "state", "kind", "id", "speaker", "takes", "text"]
    assert [row[:4] for row in rows[1:]] == [
        ["01:00:01;20", "50", "70", "missing"],
        ["01:00:04;10", "130", "64", "missing"],
        ["01:00:08;00", "240", "-", "missing"],
    ]
    code, out, _ = run(capsys, "markers", str(path), "--json", "-o", str(tmp_path / "named.otio"))
    found = json.loads(out)["lines"]
    assert [(row["kind"], row["speaker"], row["handles"], row["rate"], row["named"]) for row in found] == [
        ("placeholder", None, 8, "30000/1001", True),
        ("timeline marker", "presenter", 0, "30000/1001", True),
        ("timeline marker", "presenter", 0, "30000/1001", True),
    ]
    code, out, _ = run(capsys, "markers", str(tmp_path / "named.otio"), "--json")
    assert [row["id"] for row in json.loads(out)["lines"]] == [row["id"] for row in found]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["fill", "CUT", "-o", "OUT.mp4"], 3, "bad_output"),
        (["fill", "CUT", "-o", "gone/OUT.otio"], 4, "no_output_folder"),
        (["fill", "missing.otio", "-o", "OUT.otio"], 4, "no_file"),
        (["fill", "CUT", "-o", "OUT.otio", "--conform", "squeeze"], 3, "bad_option"),
        (["fill", "CUT", "-o", "OUT.otio", "--handles", "251"], 2, "usage"),
        (["fill", "CUT", "-o", "OUT.otio", "--line", "none"], 4, "unknown_line"),
        (["fill", "CUT", "-o", "OUT.otio", "--speaker", "nobody"], 4, "unknown_speaker"),
        (["fill", "CUT", "-o", "OUT.otio"], 4, "no_speaker"),
        (["fill", "WORDS", "-o", "OUT.otio"], 3, "bad_timeline"),
        (["fill", "EMPTY", "-o", "OUT.otio"], 3, "no_placeholders"),
        (["fill", "CUT", "-o", "WORDS"], 3, "would_overwrite"),
        (["markers", "WORDS"], 3, "bad_timeline"),
        (["markers", "CUT", "-o", "OUT.mov"], 3, "bad_output"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    places = {"CUT": edit(tmp_path / "cut.otio"), "WORDS": tmp_path / "words.otio", "EMPTY": tmp_path / "empty.otio"}
    places["WORDS"].write_text("my notes", encoding="utf-8")
    write_timeline(places["EMPTY"], otio.schema.Timeline("empty"))
    given = [str(places[name]) if name in places else name.replace("OUT", str(tmp_path / "out")) for name in arguments]
    if "gone/" in arguments[-1]:
        given[-1] = str(tmp_path / "gone" / "out.otio")
    result, out, err = run(capsys, *given, "--json")
    assert (result, json.loads(out)["error"]["code"]) == (code, says)
    assert err.startswith("Error: ")
    assert places["WORDS"].read_text(encoding="utf-8") == "my notes"
    assert not (tmp_path / "out.otio").exists()


def test_captions_need_a_rate_and_the_option_for_it_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n", encoding="utf-8")
    code, _, err = run(capsys, "markers", str(tmp_path / "a.srt"))
    assert code == 3 and "--fps 25" in err and "rate=" not in err
    code, out, _ = run(capsys, "markers", str(tmp_path / "a.srt"), "--fps", "25")
    assert code == 0 and "Hello." in out


def test_a_placeholder_that_cannot_be_used_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = edit(tmp_path / "cut.otio")
    made = read_timeline(path)
    made.tracks[0][2].effects.append(otio.schema.LinearTimeWarp(time_scalar=2.0))
    write_timeline(path, made)
    code, out, _ = run(capsys, "markers", str(path))
    assert code == 0 and "We ship on Friday." in out and "note: Clip 'slate' is shown at another speed." in out
    _, out, _ = run(capsys, "markers", str(path), "--json")
    assert len(json.loads(out)["lines"]) == 2 and len(json.loads(out)["notes"]) == 1


def test_nothing_to_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_timeline(tmp_path / "empty.otio", otio.schema.Timeline("empty"))
    code, out, _ = run(capsys, "markers", str(tmp_path / "empty.otio"))
    assert (code, out.startswith("No line:")) == (0, True)


def spoken(clip: str, rate: FrameRate) -> tuple[float, float]:
    """First and last frame of a clip in which something is heard."""
    samples = read_audio(clip, 48000)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return float(loud[0]) / 48000 * float(rate), float(loud[-1]) / 48000 * float(rate)


def test_an_edit_is_filled_and_measured(
    presenter_home: EnrolledHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(presenter_home.path, home)
    monkeypatch.setenv("RETAKE_HOME", str(home))
    path, log = edit(tmp_path / "cut.otio"), tmp_path / "refused.txt"

    def retake(*arguments: str) -> dict[str, Any]:
        code, out, err = run(capsys, *arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    done = run_retake(["fill", str(path), "-o", str(tmp_path / "filled.otio"), "--conform", "keep", "--json"], home, log=log, timeout=600)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    assert [line["frames"] for line in first["lines"]] == [70, 64, first["lines"][2]["frames"]]
    assert all(line["handles"] >= 8 for line in first["lines"])
    filled = read_timeline(tmp_path / "filled.otio")
    assert [track.name for track in filled.tracks] == ["V1", "V2", "Retake"]
    rate = FrameRate(30000, 1001)
    starts: list[float] = []
    for clip in filled.find_clips():
        if "retake" not in clip.metadata:
            continue
        reference, shown = clip.media_reference, clip.source_range
        info = probe(reference.target_url, need_video=True)
        handles = round(shown.start_time.value)
        assert info.frames == reference.available_range.duration.value == shown.duration.value + 2 * handles
        begin, end = spoken(reference.target_url, rate)
        assert begin >= handles + 1
        assert end <= info.frames - 1
        place = clip.transformed_time_range(clip.trimmed_range(), filled.tracks)
        starts.append(round(place.start_time.value))
        # The handles live, and nothing is said in the first one: pictures change a little from each to the next.
        pictures = [frame.astype(np.int16) for frame, _ in zip(read_frames(reference.target_url), range(handles), strict=False)]
        moved = [float(np.abs(other - one).mean()) for one, other in pairwise(pictures)]
        assert 0.01 < np.mean(moved) < 3.0
    assert sorted(starts) == [50, 130, 240]

    # The same again makes nothing; one line again makes one more take of that line.
    assert all(
        line["take"]["cached"]
        for line in retake("fill", str(tmp_path / "filled.otio"), "-o", str(tmp_path / "same.otio"), "--conform", "keep")["lines"]
    )
    lines = retake("markers", str(tmp_path / "filled.otio"))["lines"]
    again = retake(
        "fill", str(tmp_path / "filled.otio"), "-o", str(tmp_path / "again.otio"), "--conform", "keep", "--line", lines[1]["id"], "--again"
    )
    assert [line["line"] for line in again["lines"]] == [lines[1]["id"]]
    after = retake("markers", str(tmp_path / "again.otio"))["lines"]
    assert [len(line["takes"]) for line in after] == [1, 2, 1]
    assert [(line["id"], line["start"], line["frames"]) for line in after] == [(line["id"], line["start"], line["frames"]) for line in lines]

    # Ripple: the slate gets its natural length, and the title and the markers behind it follow.
    rippled = retake("fill", str(path), "-o", str(tmp_path / "ripple.otio"), "--conform", "ripple", "--line", lines[0]["id"])
    change = rippled["lines"][0]["frames"] - 70
    moved = read_timeline(tmp_path / "ripple.otio")
    assert change != 0
    assert [round(marker.marked_range.start_time.value) for marker in moved.tracks.markers] == [130 + change, 240 + change]
    (title,) = [clip for clip in moved.find_clips() if clip.name == "title"]
    assert round(title.range_in_parent().start_time.value) == 150 + change
    assert not log.exists() or log.read_text(encoding="utf-8") == ""
