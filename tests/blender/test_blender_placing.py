"""Takes on Blender's timeline: exact frames, free channels, what the editor did to a clip is kept; measured in what Blender renders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host import Blender

from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.media.audio import read_audio
from retake.media.probe import probe
from retake.media.reader import read_frames
from retake.media.writer import write_clip

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from media_samples import chirp, number_in, numbered

SLOT = 75


def sample(path: Path, *, rate: str = "25", slot: int = SLOT, handles: int = 0) -> dict[str, Any]:
    """A clip as the daemon writes them: every frame carries its number, and a chirp begins with frame `handles` + 20."""
    exact = FrameRate.parse(rate)
    frames = slot + 2 * handles
    sound = np.zeros(round(exact.seconds(frames) * 48000), np.float32)
    begin = round(exact.seconds(handles + 20) * 48000)
    sound[begin : begin + 2400] = chirp(48000)
    pictures = (numbered(number) for number in range(frames))
    write_clip(path, pictures, rate=exact, width=160, height=96, samples=sound, sample_rate=48000, metadata={}, progress=Progress(), total=frames)
    return {"path": str(path), "frames": frames, "rate": str(exact), "handles": handles}


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Any]:
    return {"plain": sample(tmp_path / "plain.mp4"), "handles": sample(tmp_path / "handles.mp4", handles=12)}


def test_takes_lie_at_the_exact_frames_on_free_channels(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="fill", samples=samples)
    # The placeholder is on 1, 2 is locked and 4 muted: sound on 5, picture on 6; the content begins a handle earlier.
    assert seen["sound"] == [5, 101, 176, 89]
    assert seen["picture"] == [6, 101, 176, 89]
    assert seen["colour"] == "sRGB"
    assert seen["muted"] is True
    assert seen["unconnected"] is False
    assert seen["fps"] == [25, 1.0]
    assert [line[:3] for line in seen["lines"]] == [["TEXT", "FILLED", 1]]


def test_another_take_keeps_what_the_editor_did(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="swap", samples=samples)
    # Same places; the content begins 12 frames further left, since the new take has handles.
    assert [place[:3] for place in seen["after"]] == [place[:3] for place in seen["before"]]
    assert [place[3] for place in seen["after"]] == [place[3] - 12 for place in seen["before"]]
    assert seen["files"] == ["handles.mp4"]
    assert seen["look"] == [10.0, 3, 0.5, 1, 0.5, -0.25]
    assert seen["takes"] == [["plain", "handles"]] * 2
    assert set(seen["active"]) == {"handles"}
    assert seen["said"] == []
    assert seen["sounds_left"] == 1


def test_takes_are_switched_locked_compared_and_missed(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="switching", samples=samples)
    assert seen["two"] == ["handles", [2, 11, 86, -1]]
    assert seen["one"] == ["plain", [2, 11, 86, 11]]
    assert seen["compare"] == [[4, 11, 86, -1], 80, True]
    assert seen["lines_while_comparing"] == 1
    assert seen["ended"] == 2
    assert seen["locked"] == ["The line is locked.", "Unlock it first."]
    assert seen["state"] == "LOCKED"
    assert "no such take" in seen["unknown"][0]
    assert "handles.mp4" in seen["gone"][0]
    assert seen["still"] == seen["one"]
    assert seen["missing"] == [["one", "handles", "handles.mp4"]]
    assert seen["collected"] == [[], ["collected"] * 2, "collected", "collected", seen["two"][1]]
    assert seen["own"] is True


def test_what_cannot_be_placed_is_refused_and_changes_nothing(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="hopeless", samples=samples)
    assert "cannot read 'broken.mp4'" in seen["broken"][0]
    assert "'empty.mp4' is not in" in seen["empty"][0]
    assert "'absent.mp4' is not in" in seen["absent"][0]
    assert "no room" in seen["full"][0]
    assert seen["strips"] == 0


def test_ripple_moves_what_is_behind(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="ripple", samples=samples)
    assert seen["picture"][1:] == [1, 76, 1]
    assert seen["holder"] == [1, 1, 76]
    assert seen["behind"] == [1, 76, 101]
    assert seen["others"] == [[8, 1, 201], [9, 60, 70]]
    assert seen["row"] == [[10, 76, 86], [10, 86, 96], [10, 96, 106]]
    assert seen["markers"] == {"here": 20, "later": 85}
    assert [sentence.split("'")[1] for sentence in seen["said"]] == ["fixed", "music"]


def test_within_a_meta_strip(fresh: Blender, samples: dict[str, Any]) -> None:
    seen = fresh.run("model_placing", case="in_meta", samples=samples)
    assert seen["picture"][1:] == [31, 106, 31]
    assert seen["top"] == ["scene 1"]
    assert len(seen["inside"]) == 3
    assert seen["state"] == ["FILLED"]


def test_proxies_are_as_those_of_the_other_movies(fresh: Blender, samples: dict[str, Any]) -> None:
    assert fresh.run("model_placing", case="proxies", samples=samples) == {"use": True, "sizes": [False, True], "quality": 70}


@pytest.mark.parametrize(("rate", "fps", "base"), [("25", 25, 1.0), ("30000/1001", 30, 1.001), ("24000/1001", 24, 1.001)])
def test_blender_renders_the_right_frames_with_their_sound(fresh: Blender, tmp_path: Path, rate: str, fps: int, base: float) -> None:
    """Two takes, the second with handles; every frame of the render is the frame it should be, and the chirps are where their pictures are."""
    exact = FrameRate.parse(rate)
    samples = {"plain": sample(tmp_path / "plain.mp4", rate=rate), "handles": sample(tmp_path / "handles.mp4", rate=rate, handles=12)}
    target = tmp_path / "edit.mp4"
    places = [["plain", 11], ["handles", 101]]
    samples["rendered"] = {"fps": fps, "base": base, "path": str(target), "frames": 190, "places": places}
    assert fresh.run("model_placing", case="render", samples=samples, seconds=100)["rate"] == str(exact)

    info = probe(target, need_video=True)
    pictures = list(read_frames(target))
    assert len(pictures) == 190
    assert info.rate == exact
    for key, frame in places:
        handles = samples[key]["handles"]
        seen = [number_in(picture) for picture in pictures[frame - 1 : frame - 1 + SLOT]]
        assert seen == list(range(handles, handles + SLOT))
    assert pictures[5].max() < 40  # nothing before the first take
    sound = read_audio(target, 48000)
    for _, frame in places:
        expected = exact.seconds(frame - 1 + 20)
        around = sound[round((expected - 0.5) * 48000) : round((expected + 0.5) * 48000)]
        heard = expected - 0.5 + float(np.abs(np.correlate(around, chirp(48000), mode="valid")).argmax()) / 48000
        assert abs(heard - expected) < 0.5 / float(exact), f"off by {(heard - expected) * float(exact):.2f} frames"
