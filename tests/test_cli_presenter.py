"""The commands with real work behind them, on the built-in presenter: what `say`, `takes`, `speakers` and `score` make and answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
import torch
from enrolled import EnrolledHome, guarded_environment, run_retake

from retake.domain.errors import ErrorKind
from retake.takes.syncnet_net import SyncNet

LINE = "This line was typed."


def say(home: Path, *arguments: str, log: Path) -> dict[str, Any]:
    done = run_retake(["say", *arguments, "--speaker", "presenter", "--json"], home, log=log)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_take_has_everything_and_is_found_again(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    clip = tmp_path / "my takes" / "öut.mp4"
    clip.parent.mkdir()
    take = say(copy_of_presenter_home, LINE, "-o", str(clip), "--fps", "30000/1001", log=log)
    assert files_below(clip.parent) == ["öut.json", "öut.mp4", "öut.otio", "öut.png", "öut.srt"]
    assert take["files"]["clip"] == str(clip)
    assert take["rate"] == "30000/1001"
    assert take["cached"] is False

    timeline = otio.adapters.read_from_file(take["files"]["timeline"])
    (shown,) = timeline.find_clips()
    assert shown.duration() == otio.opentime.RationalTime(take["frames"], 30000 / 1001)
    assert Path(shown.media_reference.target_url) == clip
    captions = (clip.parent / "öut.srt").read_text(encoding="utf-8")
    assert " ".join(captions.split("\n")[2:3]) == LINE
    report = json.loads((clip.parent / "öut.json").read_text(encoding="utf-8"))
    assert "nobody's likeness" in json.dumps(report)  # the consent statement goes with every take

    again = say(copy_of_presenter_home, LINE, "--fps", "29.97", log=log)
    assert again["cached"] is True
    assert again["sha256"] == take["sha256"]

    weights = tmp_path / "syncnet.model"
    torch.save(SyncNet(12).state_dict(), weights)
    arguments = ["score", str(clip), "--speaker", "presenter", "--syncnet", str(weights), "--json"]
    scores = json.loads(run_retake(arguments, copy_of_presenter_home, log=log).stdout)
    assert scores["syncnet"]["lse_d"] > 0 and scores["syncnet"]["windows"] >= 30
    assert scores["faces"] == 1.0
    assert scores["mouth"]["closure"] is None or 0 <= scores["mouth"]["closure"] <= 1
    assert 0 < scores["voice"]["similarity"] <= 1

    done = run_retake(["takes", "--json"], copy_of_presenter_home, log=log)
    assert [entry["take"]["id"] for entry in json.loads(done.stdout)["takes"]] == [take["id"]]


def test_a_script_is_rendered_line_by_line(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = tmp_path / "news.md"
    script.write_text("# News\n\nFirst line.\n\nSecond line.\n", encoding="utf-8")
    arguments = ["say", "--script", str(script), "--speaker", "presenter", "-o", str(tmp_path / "out"), "--json"]
    first = json.loads(run_retake(arguments, copy_of_presenter_home, log=log).stdout)
    assert [take["cached"] for take in first["takes"]] == [False, False]
    timeline = otio.adapters.read_from_file(first["timeline"])
    assert [clip.metadata["retake"]["line"] for clip in timeline.find_clips()] == [take["request"]["line_id"] for take in first["takes"]]
    assert all(Path(clip.media_reference.target_url).is_file() for clip in timeline.find_clips())
    script.write_text("# News\n\nFirst line.\n\nAnother line.\n", encoding="utf-8")
    second = json.loads(run_retake(arguments, copy_of_presenter_home, log=log).stdout)
    assert [take["cached"] for take in second["takes"]] == [True, False]


UNSPEAKABLE = {
    "empty": ("", "text"),
    "marks": ("?!...", ""),
    "emoji": ("😀", ""),
    "cyrillic": ("Привет, как дела?", "English"),
    "long": ("word " * 4000, ""),
}


@pytest.mark.parametrize(("text", "part"), UNSPEAKABLE.values(), ids=UNSPEAKABLE)
def test_texts_that_cannot_be_spoken(presenter_home: EnrolledHome, tmp_path: Path, text: str, part: str) -> None:
    done = run_retake(["say", text, "--speaker", "presenter"], presenter_home.path, log=tmp_path / "log", timeout=600)
    assert done.returncode == ErrorKind.BAD_INPUT.value
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert part in errors[0]
    assert "Traceback" not in done.stderr


def test_unknown_speaker_lists_the_known(presenter_home: EnrolledHome, tmp_path: Path) -> None:
    done = run_retake(["say", "Hi.", "--speaker", "nobody"], presenter_home.path, log=tmp_path / "log")
    assert done.returncode == ErrorKind.NOT_FOUND.value
    assert "presenter" in done.stderr


def test_speakers(presenter_home: EnrolledHome, tmp_path: Path) -> None:
    shown = run_retake(["speakers"], presenter_home.path, log=tmp_path / "log").stdout
    assert "presenter" in shown
    document = json.loads(run_retake(["speakers", "show", "presenter", "--json"], presenter_home.path, log=tmp_path / "log").stdout)
    assert document["speaker"]["consent"]["statement"] == "Synthetic presenter, nobody's likeness."
    assert (Path(document["folder"]) / "report.html").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers Ctrl-C to whole consoles only")
@pytest.mark.parametrize("stage", ["Speaking", "Rendering"])
def test_ctrl_c_leaves_nothing_and_the_next_run_works(copy_of_presenter_home: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    before = files_below(copy_of_presenter_home / "speakers")
    command = [sys.executable, "-m", "retake", "say", "A line that is stopped on its way.", "--speaker", "presenter", "-o", str(out / "a.mp4")]
    environment = guarded_environment(copy_of_presenter_home, tmp_path / "log")
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(stage):
                break
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        code = process.wait(timeout=600)
    assert code == ErrorKind.CANCELLED.value, rest
    assert "Traceback" not in rest
    assert list(out.iterdir()) == []
    assert files_below(copy_of_presenter_home / "takes") == []
    assert files_below(copy_of_presenter_home / "speakers") == before
    take = say(copy_of_presenter_home, "A line that is stopped on its way.", "-o", str(out / "a.mp4"), log=tmp_path / "log")
    assert Path(take["files"]["clip"]).is_file()
