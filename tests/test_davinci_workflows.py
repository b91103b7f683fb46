"""The three workflows in the double of Resolve, with a real daemon, real renders and the real client, at rates that hurt."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from davinci_samples import marker
from enrolled import EnrolledHome
from resolve.double import FIRST_FRAME, Stage, World, stage

from retake.media.audio import read_audio
from retake.media.probe import probe
from retake_davinci import bridge, clips, media_folder
from retake_davinci.console import follow
from retake_davinci.editor import Editor
from retake_davinci.errors import EditorError
from retake_davinci.planning import State
from retake_davinci.presenter import Presenter, open_session
from retake_davinci.report import Outcome, Report
from retake_davinci.settings import Settings

SMALL = Settings(width=160, height=160, may_start=False)
RATES = {"24": Fraction(24), "25": Fraction(25), "29.97 DF": Fraction(30000, 1001), "60": Fraction(60)}
SECONDS = 120.0


@pytest.fixture(autouse=True)
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for videos is one of the test's."""
    monkeypatch.setattr(media_folder, "videos_folder", lambda: tmp_path / "Videos")
    return tmp_path / "Videos"


@pytest.fixture(scope="module")
def running(presenter_home: EnrolledHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("davinci") / "home"
    shutil.copytree(presenter_home.path, home)
    home.chmod(0o700)
    with daemon(home) as found:
        yield found


@pytest.fixture
def open_presenter(running: Daemon) -> Iterator[object]:
    """Call it with a stage (and settings) to have a presenter on it; its session ends with the test."""
    sessions = []

    def make(on: Stage, settings: Settings = SMALL) -> Presenter:
        session = open_session(settings, running.home)
        sessions.append(session)
        presenter = Presenter(bridge.connect(on.resolve), session, settings)
        presenter.wait_for_connection(20.0)
        return presenter

    yield make
    for session in sessions:
        session.close()


def finish(presenter: Presenter) -> Report:
    said: list[str] = []
    ends = time.monotonic() + SECONDS

    def pause(seconds: float) -> None:
        assert time.monotonic() < ends, said
        time.sleep(seconds)

    follow(presenter, say=said.append, pause=pause, every=0.05)
    assert presenter.report is not None
    return presenter.report


def check_clip(on: Stage, line_start: int, frames: int | None, rate: Fraction, first: int = 0) -> Path:
    """A clip lies where it should, shows as many frames as its file has (without handles), and so does its sound; returns the file."""
    at = on.timeline.first + line_start
    picture = next(item for track in on.timeline.tracks["video"] for item in track.items if item.start == at and item.media is not None)
    sound = next(item for track in on.timeline.tracks["audio"] for item in track.items if item.start == at)
    assert picture.media is not None and sound.media is not None
    assert picture.media.path == sound.media.path
    path = Path(picture.media.path)
    info = probe(path)
    assert info.complete and info.rate is not None and info.rate.fraction == rate
    assert picture.frames == sound.frames == info.frames - 2 * first
    assert picture.first == sound.first == first
    if frames is not None:
        assert picture.frames == frames
    samples = read_audio(path, 16000)
    assert abs(len(samples) / 16000 - info.frames / rate) < max(0.5 / float(rate), 1024 / 48000)  # sound is kept in packets of 1024 samples
    return path


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("exclusive", [True, False])
def test_fill_generate_and_revise(rate: str, exclusive: bool, open_presenter, running: Daemon) -> None:
    """Both ways of counting share their takes, so that the second one renders nothing."""
    fraction = RATES[rate]
    second = round(fraction)
    on = stage(rate, World(end_exclusive=exclusive, copy_becomes_current=exclusive))
    on.timeline.put("video", 1, 0, 30 * second, name="Solid Color")
    marker(on, 2 * second, "We ship on Friday.", duration=2 * second + 1)
    on.timeline.put("video", 2, 8 * second, 2 * second, name="@presenter: Thank you all.")
    presenter = open_presenter(on)
    assert [row.state for row in presenter.rows()] == [State.MISSING, State.MISSING]

    presenter.fill()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED, Outcome.PLACED], report.lines()
    friday = check_clip(on, 2 * second, 2 * second + 1, fraction)
    check_clip(on, 8 * second, 2 * second, fraction)
    assert report.backup == "Cut (before Retake)"
    assert on.project.current is on.timeline
    assert [row.state for row in presenter.rows()] == [State.DONE, State.DONE]

    marker(on, 14 * second, "Hello.", duration=1)  # as long as it takes
    on.timeline.playhead = presenter.editor().timecode(on.timeline.first + 14 * second)
    presenter.generate_at_playhead()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED], report.lines()
    check_clip(on, 14 * second, None, fraction)
    assert 0.3 < report.entries[0].frames / fraction < 4

    on.timeline.playhead = presenter.editor().timecode(on.timeline.first + 3 * second)
    presenter.revise("We ship on Monday.")
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.TAKE], report.lines()
    monday = check_clip(on, 2 * second, 2 * second + 1, fraction)
    assert monday != friday
    item = next(item for track in on.timeline.tracks["video"] for item in track.items if item.takes)
    assert [Path(take.media.path) for take in item.takes] == [friday, monday]
    assert on.timeline.markers[float(2 * second)]["note"] == "We ship on Monday."
    editor = Editor.of_current(bridge.connect(on.resolve))
    assert [row.state for row in presenter.rows()] == [State.DONE] * 3
    assert next(clip.request["text"] for clip in clips.find_clips(editor)) == "We ship on Monday."
    presenter.fill()
    assert presenter.report is not None and presenter.report.summary() == "There was nothing to do."
    assert len([timeline for timeline in on.project.timelines if "before Retake" in timeline.name]) == 3
    assert FIRST_FRAME[rate] == on.timeline.first


def test_takes_lie_beside_the_users_media_and_outlive_the_store(open_presenter, running: Daemon, videos: Path) -> None:
    on = stage("24")
    on.project.name = "Film: Teil 1/2 "
    marker(on, 0, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    assert [entry.outcome for entry in finish(presenter).entries] == [Outcome.PLACED]
    path = check_clip(on, 0, 49, Fraction(24))
    assert path.parent == (videos / "Retake" / "Film_ Teil 1_2").resolve()
    stored = Path(running.client().take(path.stem)["files"]["clip"])
    assert path.samefile(stored) or path.read_bytes() == stored.read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_or_where_the_daemon_keeps_them(open_presenter, running: Daemon, videos: Path) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    presenter = open_presenter(on, Settings(width=160, height=160, may_start=False, copy=False))
    presenter.fill()
    finish(presenter)
    assert check_clip(on, 0, 49, Fraction(24)).is_relative_to(running.home)


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_rendered(open_presenter, tmp_path: Path) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    (tmp_path / "file").touch()
    presenter = open_presenter(on, Settings(width=160, height=160, may_start=False, folder=str(tmp_path / "file" / "takes")))
    with pytest.raises(EditorError) as caught:
        presenter.fill()
    assert caught.value.code == "not_writable" and "davinci.json" in caught.value.remedy
    assert [timeline.name for timeline in on.project.timelines] == ["Cut"] and presenter.batch is None


def test_handles_and_words_at_their_own_pace(open_presenter) -> None:
    on = stage("25")
    marker(on, 50, "We ship on Friday.", duration=60)
    presenter = open_presenter(on, Settings(width=160, height=160, may_start=False, handles=10, conform="keep"))
    presenter.fill()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED], report.lines()
    check_clip(on, 50, 60, Fraction(25), first=10)


def test_failures_have_a_cause_and_a_remedy_and_the_rest_is_placed(open_presenter) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    marker(on, 100, "This is far too much to be said in so short a time.", duration=5)
    marker(on, 200, "Hello.", name="@nobody")
    marker(on, 300, "你好", duration=50)
    presenter = open_presenter(on)
    presenter.fill()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED, Outcome.FAILED, Outcome.FAILED, Outcome.FAILED], report.lines()
    assert all(entry.cause and entry.remedy for entry in report.failed)
    assert "nobody" in report.failed[1].cause and "presenter" in report.failed[1].remedy
    assert report.backup


def test_a_batch_that_changed_nothing_leaves_no_copy(open_presenter) -> None:
    on = stage("24")
    marker(on, 300, "你好", duration=50)
    presenter = open_presenter(on)
    presenter.fill()
    report = finish(presenter)
    assert len(report.failed) == 1 and report.backup == ""
    assert [timeline.name for timeline in on.project.timelines] == ["Cut"]


def test_the_marker_is_moved_and_another_timeline_opened_meanwhile(open_presenter) -> None:
    on = stage("24")
    marker(on, 100, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    on.timeline.markers[400.0] = on.timeline.markers.pop(100.0)
    other = on.timeline.DuplicateTimeline("Other")
    on.project.current = other
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED], report.lines()
    check_clip(on, 400, 49, Fraction(24))
    assert on.project.current is other


def test_the_marker_is_removed_or_changed_meanwhile(open_presenter) -> None:
    on = stage("24")
    marker(on, 100, "We ship on Friday.", duration=49)
    marker(on, 300, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    del on.timeline.markers[100.0]
    on.timeline.markers[300.0]["duration"] = 80.0
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.FAILED] * 2
    assert all("not be rendered again" in " ".join(entry.notes) for entry in report.entries)
    assert {entry.cause.split(" has ")[0] for entry in report.entries} == {"The line"}


def test_another_try_is_another_take(open_presenter) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    finish(presenter)
    on.timeline.playhead = "01:00:01:00"
    presenter.generate_at_playhead()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.TAKE], report.lines()
    editor = presenter.editor()
    clip = clips.find_clips(editor)[0]
    assert clip.request["seed"] == 1 and len(clip.takes) == 2
    assert presenter.choose_take(1) == []
    assert check_clip(on, 0, 49, Fraction(24)) == Path(clip.takes[0]["path"])


def test_a_script_that_was_ended_goes_on_where_it_was(open_presenter, running: Daemon) -> None:
    on = stage("24")
    marker(on, 0, "A line that nobody waited for.", duration=1)
    first = open_presenter(on)
    first.fill()
    assert first.batch is not None
    first.batch.abandon()
    assert [entry.outcome for entry in first.batch.report.entries] == [Outcome.CANCELLED]
    second = open_presenter(on)
    second.fill()
    report = finish(second)
    assert [entry.outcome for entry in report.entries] == [Outcome.PLACED], report.lines()
    jobs = running.client().jobs(search="nobody waited")["jobs"]
    assert len(jobs) <= 1


def test_cancelled(open_presenter) -> None:
    on = stage("24")
    marker(on, 0, "This one is taken back before anybody has heard it at all.", duration=1)
    presenter = open_presenter(on)
    presenter.fill()
    assert presenter.batch is not None
    presenter.batch.cancel()
    report = finish(presenter)
    assert [entry.outcome for entry in report.entries] == [Outcome.CANCELLED]
    assert report.backup == ""


def test_one_batch_at_a_time(open_presenter) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    with pytest.raises(EditorError) as caught:
        presenter.fill()
    assert caught.value.code == "busy"
    finish(presenter)


def test_nothing_of_the_token_is_said(open_presenter, running: Daemon) -> None:
    token = (running.home / "token").read_text(encoding="ascii").strip()
    on = stage("24")
    marker(on, 0, "Hello.", name="@nobody")
    presenter = open_presenter(on)
    presenter.fill()
    assert presenter.report is not None
    assert token not in "\n".join([*presenter.report.lines(), presenter.status_line(), repr(presenter.settings.session(running.home, running.home))])
    assert os.environ.get("RETAKE_HOME") != str(running.home)


def test_resolve_ends_meanwhile(open_presenter) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    presenter = open_presenter(on)
    presenter.fill()
    on.world.gone = True
    report = finish(presenter)
    assert [entry.cause for entry in report.entries] == ["DaVinci Resolve does not answer any more."]
    with pytest.raises(EditorError) as caught:
        presenter.rows()
    assert caught.value.code == "not_running"


def test_a_daemon_that_is_away_is_not_waited_for_without_end(tmp_path: Path) -> None:
    on = stage("24")
    marker(on, 0, "We ship on Friday.", duration=49)
    (tmp_path / "home").mkdir(mode=0o700)
    session = open_session(SMALL, tmp_path / "home")
    try:
        presenter = Presenter(bridge.connect(on.resolve), session, SMALL)
        presenter.fill()
        said: list[str] = []
        follow(presenter, say=said.append, every=0.05, patience=1.0)
    finally:
        session.close()
    assert presenter.report is not None
    assert [(entry.outcome, bool(entry.cause), bool(entry.remedy)) for entry in presenter.report.entries] == [(Outcome.CANCELLED, True, True)]
    assert "serve" in "\n".join(said)
    assert [timeline.name for timeline in on.project.timelines] == ["Cut"]
