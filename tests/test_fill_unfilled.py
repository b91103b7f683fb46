"""A line that cannot be filled: the others are filled, on the command line and by the daemon, and everybody is told which one is not and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from daemon_process import daemon

from retake import cli
from retake_otio import GENERATOR_KEY, read_timeline, takes_of, write_timeline

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange
TOO_LONG = "This sentence is by far too long for the few pictures that its place in the edit has for it, whatever one does."


def edit(path: Path, *texts: str) -> Path:
    made = otio.schema.Timeline("cut")
    track = otio.schema.Track("V1")
    for number, text in enumerate(texts, 1):
        own = {"text": text, "width": 160, "height": 160, "line": f"l{number}"}
        track.append(otio.schema.Clip(f"slate {number}", source_range=Range(Time(0, 25), Time(50, 25)), metadata={"retake": own}))
    made.tracks.append(track)
    write_timeline(path, made)
    return path


def filled(path: Path) -> list[bool]:
    return [bool(takes_of(clip)) for clip in read_timeline(path).find_clips()]


def test_the_others_are_filled(copy_of_presenter_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    home = copy_of_presenter_home
    monkeypatch.setenv("RETAKE_HOME", str(home))
    path, output = edit(tmp_path / "cut.otio", "Привет, как дела?", "Good morning.", TOO_LONG), tmp_path / "filled.otio"

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["fill", *arguments])
        out = capsys.readouterr()
        return code, out.out, out.err

    # One line cannot be spoken, which is known at once; the other one is too long, which is known when it is spoken.
    code, out, err = run(str(path), "-o", str(output), "--quiet")
    assert (code, filled(output)) == (3, [False, True, False])
    assert "1 line filled" in out and f"Timeline: {output}" in out
    assert "note: Clip 'slate 1': " in out and "note: Clip 'slate 3': " in out and out.count("It stays as it is.") == 2
    assert "2 lines were not filled (see the notes); the timeline was written with the others." in err
    before, after = list(read_timeline(path).find_clips()), list(read_timeline(output).find_clips())
    assert before[0].is_equivalent_to(after[0]) and before[2].is_equivalent_to(after[2]) and GENERATOR_KEY in after[1].media_references()
    code, out, _ = run(str(path), "-o", str(output), "--json")
    answer = json.loads(out)
    assert code == 3 and [line["line"] for line in answer["lines"]] == ["l2"]
    assert [(line["line"], line["code"]) for line in answer["unfilled"]] == [("l1", "text_language"), ("l3", "does_not_fit")]
    assert all(line["cause"].startswith(f"Clip '{line['label'][6:-1]}'") and line["remedy"] for line in answer["unfilled"])

    # Nothing is written where all of them shall be filled, or none can be.
    for arguments in ((str(path), "--strict"), (str(edit(tmp_path / "bad.otio", "Привет, как дела?", TOO_LONG)),)):
        code, out, err = run(*arguments, "-o", str(tmp_path / "none.otio"), "--quiet")
        assert code == 3 and err.startswith("Error: Clip 'slate 1'"), err
        assert not (tmp_path / "none.otio").exists()

    (home / "settings.json").write_text(json.dumps({"server": {"roots": [str(tmp_path)]}}), encoding="utf-8")
    with daemon(home) as running:
        client = running.client()
        jobs = [client.submit({"kind": "timeline", "timeline": str(path), "speaker": "presenter", **wish}) for wish in ({}, {"strict": True})]
        some, none = (client.wait(str(job["id"]), seconds=100) for job in jobs)
    assert some["state"] == "succeeded" and some["result"]["unfilled"] == 2 and len(some["result"]["takes"]) == 1, some
    assert [note[:14] for note in some["result"]["notes"][:2]] == ["Clip 'slate 1'", "Clip 'slate 3'"]
    assert filled(Path(some["result"]["timeline"])) == [False, True, False]
    assert none["state"] == "failed" and none["error"]["code"] == "text_language"
