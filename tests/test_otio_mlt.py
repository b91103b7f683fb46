"""A filled timeline through the MLT adapter and `melt`: as many frames as the edit has, every take at its place, its sound with it."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import opentimelineio as otio
import pytest
from exchange_samples import placeholder, span
from media_samples import make_video, tone

from retake.media.audio import read_audio
from retake.media.reader import read_frames
from retake_otio import TakeMedia, line_clip
from retake_otio.exchange import write_any

MELT = shutil.which("melt")
COLOURS = {"red": (200, 0, 0), "blue": (0, 0, 200)}


def take(folder: Path, name: str, rate: Fraction, frequency: float) -> TakeMedia:
    folder.mkdir()
    path = folder / "take.mp4"  # of the same name, as takes are in their store
    colour = np.array(COLOURS[name], np.uint8)
    seconds = float(60 / rate)
    make_video(
        path, rate=rate, frames=60, picture=lambda index: np.broadcast_to(colour, (96, 160, 3)), sound=tone(seconds, 48000, frequency=frequency)
    )
    return TakeMedia(name, path, 60, rate, {"synthetic": True})


def edit(folder: Path, rate: Fraction) -> otio.schema.Timeline:
    """20 frames of nothing, 40 of red from its frame 10, 30 of a placeholder, 25 of blue; all clips with one name. 115 frames."""
    r = float(rate)
    clips = []
    for name, frequency, start, frames in (("red", 440.0, 10, 40), ("blue", 880.0, 0, 25)):
        clip = line_clip(line_id=name, name="Same name", parameters={"text": name}, takes=[take(folder / name, name, rate, frequency)])
        clip.source_range = span(start, frames, r)
        clips.append(clip)
    timeline = otio.schema.Timeline("cut", global_start_time=otio.opentime.RationalTime(round(3600 * rate), r))
    waiting = placeholder("p", r, frames=30, text="Later.", speaker="ben")
    timeline.tracks.append(otio.schema.Track("V", [otio.schema.Gap(source_range=span(0, 20, r)), clips[0], waiting, clips[1]]))
    return timeline


def test_pictures_are_silent_and_sounds_are_mixed(tmp_path: Path) -> None:
    write_any(edit(tmp_path, Fraction(30000, 1001)), tmp_path / "a.mlt")
    root = ElementTree.parse(tmp_path / "a.mlt").getroot()
    profile = root.find("profile")
    assert profile is not None and (profile.get("frame_rate_num"), profile.get("frame_rate_den")) == ("30000", "1001")
    files = [found.text for found in root.iter("property") if found.get("name") == "resource" and found.text != "black"]
    assert len(files) == 4 and set(files) == {str(tmp_path / name / "take.mp4") for name in COLOURS}
    hidden = [track.get("hide") for track in root.iter("track")]
    assert hidden in ([None, "video", "audio"], [None, "audio", "video"])


@pytest.mark.skipif(MELT is None, reason="melt is not installed (package melt)")
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)], ids=str)
def test_melt_shows_and_plays_every_take_at_its_frames(rate: Fraction, tmp_path: Path) -> None:
    assert MELT is not None
    write_any(edit(tmp_path, rate), tmp_path / "a.mlt")
    out = tmp_path / "out.mp4"
    command = [MELT, str(tmp_path / "a.mlt"), "-consumer", f"avformat:{out}", "vcodec=libx264", "preset=ultrafast", "acodec=aac", "real_time=-1"]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C"})
    assert out.is_file(), done.stderr[-2000:]
    frames = [frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(int) for chunk in [list(read_frames(out))] for frame in chunk]
    shown = ["red" if red > 120 else "blue" if blue > 120 else "black" for red, _, blue in frames]
    assert shown == ["black"] * 20 + ["red"] * 40 + ["black"] * 30 + ["blue"] * 25
    samples = read_audio(out, 48000)
    for start, end, pitch in ((0, 20, 0.0), (20, 60, 440.0), (60, 90, 0.0), (90, 115, 880.0)):
        first, last = (round(float(at / rate) * 48000) for at in (start, end))
        inside = samples[first + 4800 : last - 4800]
        spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside))))
        loudest = float(np.argmax(spectrum)) * 48000 / len(inside)
        if pitch:
            assert abs(loudest - pitch) < 10, f"frames {start} to {end} sound at {loudest:.0f} Hz"
        else:
            assert float(np.abs(inside).max(initial=0.0)) < 0.01
    # Where the sound begins, to a quarter of a frame: AAC smears a little.
    begins = int(np.argmax(np.abs(samples) > 0.05)) / 48000
    assert abs(begins - float(20 / rate)) < 0.25 / float(rate) + 0.01


@pytest.mark.skipif(MELT is None, reason="melt is not installed (package melt)")
@pytest.mark.parametrize("offsets", [(5, 5), (3, 6), (4, 0)], ids=str)
def test_dissolves_show_both_takes_and_change_no_length(offsets: tuple[int, int], tmp_path: Path) -> None:
    assert MELT is not None
    before, behind = offsets
    timeline = edit(tmp_path, Fraction(25))
    track = timeline.tracks[0]
    del track[2]
    track[2].source_range = span(12, 25, 25)  # blue, with handles
    track.insert(
        2,
        otio.schema.Transition(
            "d", "SMPTE_Dissolve", in_offset=otio.opentime.RationalTime(before, 25), out_offset=otio.opentime.RationalTime(behind, 25)
        ),
    )
    write_any(timeline, tmp_path / "a.mlt")
    out = tmp_path / "out.mp4"
    command = [MELT, str(tmp_path / "a.mlt"), "-consumer", f"avformat:{out}", "vcodec=libx264", "preset=ultrafast", "acodec=aac", "real_time=-1"]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C"})
    assert out.is_file(), done.stderr[-2000:]
    middle = [frame[frame.shape[0] // 2, frame.shape[1] // 2].astype(int) for frame in read_frames(out)]
    assert len(middle) == 85, [tuple(one) for one in middle]
    mixed = [index for index, (red, _, blue) in enumerate(middle) if red > 8 and blue > 8]
    assert mixed, "nothing dissolves"
    # The first or last frame of a dissolve may be one of its clips alone.
    assert set(mixed) <= set(range(60 - before, 60 + behind)) and len(mixed) >= before + behind - 2, mixed
    assert all(red > 120 and blue < 60 for red, _, blue in middle[20 : 60 - before]) and all(
        blue > 120 and red < 60 for red, _, blue in middle[60 + behind :]
    )
    reds = [int(middle[index][0]) for index in mixed]
    assert reds == sorted(reds, reverse=True)
