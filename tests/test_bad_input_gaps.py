"""A reference that shows the face only in part of its frames: the job goes on, and frames without a face pass through untouched."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_references import FPS, SIDE, Picture, Presenter
from media_samples import number_in, numbered

import retake.pipeline
import retake.speakers.enrol
from retake import cli
from retake.domain.motion import MotionPath
from retake.domain.rate import FrameRate
from retake.domain.speech import Speech
from retake.media.reader import read_frames
from retake.media.reference import PICTURE_NAME, ReferenceFrames
from retake.motion.graph import MotionGraph
from retake.settings import Settings, save_settings
from retake.speakers.track import load_track
from retake.speech.adapt import Settings as Training

SECONDS = 8.0
GAP = range(70, 110)  # frames that show a board with their number instead of the presenter
FIRST = 60  # frame of the reference with which the take begins


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home folder whose settings ask for one thread: several that wait for each other on a busy machine cost more than they bring."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    save_settings(tmp_path / "home", Settings(threads=1))
    before = torch.get_num_threads()
    yield tmp_path / "home"
    torch.set_num_threads(before)


def test_frames_without_a_face_pass_through(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> None:
    presenter = Presenter(SECONDS)

    def picture(number: int) -> Picture:
        return numbered(number, SIDE, SIDE) if number in GAP else presenter.picture(number)

    # The voice is learnt in two steps instead of two hundred: it is not what is looked at here.
    hasty = partial(retake.speakers.enrol.learn_voice, settings=Training(steps=2))
    monkeypatch.setattr(retake.speakers.enrol, "learn_voice", hasty)
    reference = presenter.video(tmp_path / "reference.mp4", SECONDS, picture=picture)
    assert cli.run(["enrol", str(reference), "--name", "anna", "--consent", "I, Anna, agree to be enrolled.", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "face_missing" in [warning["code"] for warning in answer["speaker"]["warnings"]]
    folder = home / "speakers" / "anna"
    found = load_track(folder).found
    assert not found[list(GAP)].any()
    assert found[: GAP.start].all()
    assert found[GAP.stop :].all()

    # The motion graph has its own mind about where to go; this take walks straight through the gap.
    plan = retake.pipeline.plan

    def straight(graph: MotionGraph, speech: Speech | None, frames: int, rate: FrameRate, seed: int = 0) -> MotionPath:
        planned = plan(graph, speech, frames, rate, seed)
        assert len(planned) == frames
        source = (FIRST + np.arange(frames)).astype(planned.source.dtype)
        return MotionPath(source, np.full_like(planned.other, -1), np.zeros_like(planned.weight), ())

    monkeypatch.setattr(retake.pipeline, "plan", straight)
    clip = tmp_path / "out.mp4"
    assert cli.run(["say", "Now you see me, and now you do not see me.", "--speaker", "anna", "-o", str(clip)]) == 0
    assert "Traceback" not in capsys.readouterr().err
    shown = list(read_frames(clip))
    assert len(shown) > GAP.stop - FIRST + FPS // 5
    with ReferenceFrames(folder / PICTURE_NAME) as frames:
        for number, (frame, original) in enumerate(zip(shown, frames.read(range(FIRST, FIRST + len(shown))), strict=True), FIRST):
            difference = np.abs(frame.astype(float) - original)
            if number in GAP:
                assert number_in(frame) == number  # the very frame of the reference
                assert difference.mean() < 3, number  # as it was, but for the clip's own compression
            else:
                assert difference[: SIDE // 8].mean() < 3, number  # above the face likewise
