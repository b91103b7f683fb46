"""The media linker against a real daemon: takes into their places, fetched, rendered, or a timeline left as it is with one warning."""

from __future__ import annotations

import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from daemon_process import daemon, environment_of
from exchange_samples import placeholder, span

from retake_otio import GENERATOR_KEY, TakeMedia, TimelineError, line_clip
from retake_otio.exchange import read_any, write_any
from retake_otio.linking import Options, RetakeWarning, link

SCRIPT = """---
rate: 25
speaker: presenter
---
We ship on Friday. <!-- line: aaa -->

And this one fits. <!-- line: bbb; slot: 40 -->
"""


def convert(folder: Path, home: Path, source: str, target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("otioconvert")), "-i", source, "-o", target, "-m", "retake_linker"]
    options = [part for argument in arguments for part in ("-M", argument)]
    return subprocess.run([*command, *options], cwd=folder, env=environment_of(home), capture_output=True, text=True, timeout=900, check=False)


def test_otioconvert_renders_finds_and_fetches(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    home = copy_of_presenter_home
    (tmp_path / "a.retake.md").write_text(SCRIPT, encoding="utf-8")
    with daemon(home) as running:
        address = running.client().connection.address
        there = (f"daemon='{address}'",)
        first = convert(tmp_path, home, "a.retake.md", "missing.otio", *there)
        assert first.returncode == 0 and first.stderr.count("has no take yet") == 2, first.stderr
        made = convert(tmp_path, home, "a.retake.md", "filled.otio", *there, "render=True", "wait=True", "timeout=600")
        assert made.returncode == 0 and "Warning" not in made.stderr, made.stderr
        filled = read_any(tmp_path / "filled.otio")
        natural, fitted = filled.find_clips()
        for clip in (natural, fitted):
            assert GENERATOR_KEY in clip.media_references() and clip.active_media_reference_key.startswith("take_")
            assert Path(clip.media_reference.target_url).is_file() and clip.duration() == clip.media_reference.available_range.duration
        assert fitted.duration() == otio.opentime.RationalTime(40, 25)
        again = convert(tmp_path, home, "a.retake.md", "again.otio", *there)
        assert again.returncode == 0 and (tmp_path / "again.otio").read_bytes() == (tmp_path / "filled.otio").read_bytes(), again.stderr
        # On a machine where the takes are not: they are fetched by their ids.
        text = (tmp_path / "filled.otio").read_text(encoding="utf-8").replace(str(home), "/nowhere")
        (tmp_path / "moved.otio").write_text(text, encoding="utf-8")
        fetched = convert(tmp_path, home, "moved.otio", "fetched.otio", *there, f"folder='{tmp_path / 'takes'}'")
        assert fetched.returncode == 0, fetched.stderr
        assert all(Path(clip.media_reference.target_url).is_file() for clip in read_any(tmp_path / "fetched.otio").find_clips())
        wrong = convert(tmp_path, home, "a.retake.md", "wrong.otio", *there, "token='wrong'")
        assert wrong.returncode == 0 and wrong.stderr.count("RetakeWarning") == 1 and "The timeline stays as it is." in wrong.stderr
    gone = convert(tmp_path, home, "a.retake.md", "gone.otio")
    assert gone.returncode == 0 and gone.stderr.count("RetakeWarning") == 1 and "No daemon runs." in gone.stderr
    assert (tmp_path / "gone.otio").read_bytes() == (tmp_path / "missing.otio").read_bytes()
    strict = convert(tmp_path, home, "a.retake.md", "strict.otio", "strict=True")
    assert strict.returncode != 0 and "No daemon runs." in strict.stderr and not (tmp_path / "strict.otio").exists()


def test_nothing_to_do_needs_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    timeline = otio.schema.Timeline("t")
    clip = line_clip(line_id="a", name="a", parameters={"text": "Hi."}, takes=[TakeMedia("a", path, 50, Fraction(25))])
    timeline.tracks.append(otio.schema.Track("V", [clip, otio.schema.Clip("footage", source_range=span(0, 10, 25))]))
    write_any(timeline, tmp_path / "a.otio")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = otio.adapters.read_from_file(
            str(tmp_path / "a.otio"), media_linker_name="retake_linker", media_linker_argument_map={"home": str(tmp_path)}
        )
    assert read.to_json_string() == timeline.to_json_string()


@pytest.mark.parametrize("arguments", [{"demon": "x"}, {"render": "yes"}, {"seed": "one"}, {"home": 3}, {"timeout": True}])
def test_arguments_are_checked(arguments: dict[str, object]) -> None:
    with pytest.raises(TimelineError) as caught:
        Options.read(arguments)
    assert caught.value.code == "bad_option" and caught.value.remedy


def test_what_cannot_be_read_is_said_and_stays(tmp_path: Path) -> None:
    timeline = otio.schema.Timeline("t")
    timeline.tracks.append(
        otio.schema.Track("V", [placeholder("a", 25.0, text="Hi.", speaker="ben"), placeholder("b", 24.0, text="Ho.", speaker="ben")])
    )
    before = timeline.to_json_string()
    with pytest.warns(RetakeWarning, match="mixes frame rates"):
        link(timeline, Options(home=str(tmp_path)))
    assert timeline.to_json_string() == before
    with pytest.raises(TimelineError):
        link(timeline, Options(home=str(tmp_path), strict=True))
