"""What happens to a timeline while its takes are made: edited, closed, filled twice, with two hundred lines; with takes that are there at once.

The daemon's part is played by `Made`, which hands out files of the right length: whole renders are in test_davinci_workflows.py.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from davinci_samples import editor_of, marker, media_file, synthetic_stage
from resolve.double import Project, Stage, Timeline, TimelineItem, stage

from retake_client.local_takes import LocalTake
from retake_client.orders import Order, OrderState, Status, Update
from retake_client.states import ConnectionState
from retake_davinci import bridge, planning, workflow
from retake_davinci.editor import Editor
from retake_davinci.errors import EditorError
from retake_davinci.planning import plan_at, plan_missing
from retake_davinci.report import Outcome, Report
from retake_davinci.settings import Settings
from retake_davinci.workflow import Batch


class Made:
    """Has every take at once, under the id of its order's line, as long as the line."""

    def __init__(self, folder: Path, rate: str = "24") -> None:
        self.folder = folder
        self.rate = rate
        self.orders: list[Order] = []
        self.updates: list[Update] = []
        self.cancelled: list[str] = []

    @property
    def status(self) -> Status:
        return Status(ConnectionState.READY)

    def render(self, order: Order, *, again: bool = False) -> None:
        self.orders.append(order)
        rate = Fraction(str(order.request["fps"]))
        frames = round(order.request.get("fit", 2) * rate)
        path = media_file(self.folder, order.key, frames, self.rate)
        take = LocalTake(f"take-{order.key}", path, frames, rate, 160, 160, "", shared=False)
        self.updates.append(Update(order.id, order.key, OrderState.DONE, take=take))

    def cancel(self, order_id: str) -> None:
        self.cancelled.append(order_id)

    def poll(self) -> list[Update]:
        out, self.updates = self.updates, []
        return out


def begun(on: Stage, folder: Path, settings: Settings | None = None, rate: str = "24") -> tuple[Batch, Made]:
    chosen = settings or Settings()
    editor = editor_of(on)
    made = Made(folder, rate)
    batch = Batch(editor, made, chosen, plan_missing(editor, chosen, ["presenter"]), folder=folder)
    batch.begin()
    return batch, made


def finished(batch: Batch) -> Report:
    for _ in range(1000):
        if batch.over:
            return batch.report
        batch.step()
    raise AssertionError("it does not end")


def outcomes(report: Report) -> list[Outcome]:
    return [entry.outcome for entry in report.entries]


def placed(on: Stage) -> list[tuple[int, int]]:
    """Starts from the timeline's beginning and lengths of pictures with media."""
    found = [item for track in on.timeline.tracks["video"] for item in track.items if item.media is not None]
    return sorted((item.start - on.timeline.first, item.frames) for item in found)


def test_two_hundred_lines_leave_resolve_time_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = synthetic_stage()
    for number in range(200):
        marker(on, 60 * number, f"Line {number}.", duration=40 + number % 15)
    batch, made = begun(on, tmp_path)
    assert len({order.id for order in made.orders}) == 200
    monkeypatch.setattr(workflow, "PLACING_SECONDS", 0.0)
    batch.step()
    assert len(placed(on)) == 1  # a step is one clip when clips are slow
    monkeypatch.setattr(workflow, "PLACING_SECONDS", 0.2)
    report = finished(batch)
    assert outcomes(report) == [Outcome.PLACED] * 200
    assert placed(on) == [(60 * number, 40 + number % 15) for number in range(200)]
    assert [track.name for track in on.timeline.tracks["video"]] == ["Video 1", "Retake"]
    assert plan_missing(editor_of(on), Settings()) == []


def test_cancelled_between_two_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on = synthetic_stage()
    for number in range(3):
        marker(on, 100 * number, f"Line {number}.")
    batch, _ = begun(on, tmp_path)
    monkeypatch.setattr(workflow, "PLACING_SECONDS", 0.0)
    batch.step()
    batch.cancel()
    assert batch.over
    assert outcomes(batch.report) == [Outcome.PLACED, Outcome.CANCELLED, Outcome.CANCELLED]
    assert placed(on) == [(0, 50)] and batch.report.backup


def test_two_scripts_at_the_same_line(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    (first, _), (second, _) = begun(on, tmp_path), begun(on, tmp_path)
    assert outcomes(finished(first)) == [Outcome.PLACED]
    report = finished(second)
    assert outcomes(report) == [Outcome.NOTHING] and "already" in report.entries[0].notes[0]
    assert placed(on) == [(0, 50)]
    assert [timeline.name for timeline in on.project.timelines] == ["Cut", "Cut (before Retake)"]  # the second copy is not needed


def test_a_line_that_got_another_clip_meanwhile(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    (first, _), (second, made) = begun(on, tmp_path), begun(on, tmp_path)
    finished(first)
    [update] = made.updates
    assert update.take is not None
    other = LocalTake("other", update.take.path, 50, Fraction(24), 160, 160, "", shared=False)
    made.updates = [Update(update.order_id, update.key, OrderState.DONE, take=other)]
    assert [entry.cause for entry in finished(second).failed] == ["The line has got a clip meanwhile, with another take."]
    assert placed(on) == [(0, 50)]


def test_the_timeline_is_deleted_meanwhile(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    batch, _ = begun(on, tmp_path)
    on.project.timelines.remove(on.timeline)
    on.project.current = on.project.timelines[0]
    report = finished(batch)
    assert [entry.cause for entry in report.failed] == ["The timeline that the lines belong to cannot be opened any more."]
    assert "not be rendered again" in " ".join(report.failed[0].notes)
    assert [timeline.name for timeline in on.project.timelines] == ["Cut (before Retake)"]  # all that the user has left


def test_another_project_is_opened_meanwhile_and_the_first_again(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    batch, _ = begun(on, tmp_path)
    other = Project(on.world, "Other film")
    other.timelines.append(Timeline(on.world, other, "Cut", "24"))
    other.current = other.timelines[0]
    on.resolve._impl.manager.project = other
    assert [entry.cause for entry in finished(batch).failed] == ["Another project has been opened."]
    assert placed(on) == [] and other.pool.root.folders == [] and len(other.timelines) == 1
    on.resolve._impl.manager.project = on.project
    again, _ = begun(on, tmp_path)
    assert outcomes(finished(again)) == [Outcome.PLACED] and placed(on) == [(0, 50)]


def test_the_bin_is_deleted_meanwhile(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    finished(begun(on, tmp_path)[0])
    on.project.pool.root.folders.clear()
    on.project.pool.current = on.project.pool.root
    marker(on, 100, "Once more.")
    assert outcomes(finished(begun(on, tmp_path)[0])) == [Outcome.PLACED]
    assert [len(folder.clips) for folder in on.project.pool.root.folders] == [1]


def test_a_copy_that_the_user_works_in_is_not_removed(tmp_path: Path) -> None:
    on = synthetic_stage()
    marker(on, 0, "Hello.")
    batch, made = begun(on, tmp_path)
    made.updates = [Update(made.orders[0].id, made.orders[0].key, OrderState.FAILED, error=("It failed.", "Try again.", "x"))]
    on.project.current = next(timeline for timeline in on.project.timelines if timeline is not on.timeline)
    report = finished(batch)
    assert report.backup == "Cut (before Retake)" and len(on.project.timelines) == 2
    assert on.project.current.name == "Cut (before Retake)"


def _marked(on: Stage, start: int) -> TimelineItem:
    return next(item for track in on.timeline.tracks["video"] for item in track.items if item.start == on.timeline.first + start and item.media)


def test_a_copied_clip_is_not_taken_for_the_line(tmp_path: Path) -> None:
    """The user has copied a clip to the beginning: other words go to the clip at the line."""
    on = synthetic_stage()
    marker(on, 500, "Hello.")
    finished(begun(on, tmp_path)[0])
    original = _marked(on, 500)
    copied = on.timeline.put("video", 2, 0, 50, media=original.media)
    copied.markers = dict(original.markers)
    on.timeline.markers[500.0]["note"] = "Good evening."
    assert outcomes(finished(begun(on, tmp_path)[0])) == [Outcome.TAKE]
    assert (original.GetTakesCount(), copied.GetTakesCount()) == (2, 0)


@pytest.mark.parametrize("edit", ["trimmed", "deleted", "moved", "locked"])
def test_the_clip_is_edited_while_its_new_words_are_rendered(tmp_path: Path, edit: str) -> None:
    on = synthetic_stage()
    marker(on, 100, "Hello.")
    finished(begun(on, tmp_path)[0])
    on.timeline.markers[100.0]["note"] = "Good evening."
    batch, _ = begun(on, tmp_path)
    clip = _marked(on, 100)
    if edit == "trimmed":
        clip.frames = 40
    elif edit == "deleted":
        assert on.timeline.DeleteClips([clip])
    elif edit == "moved":
        for one in (clip, *clip.linked):
            one.start += 300
    else:
        on.timeline.tracks["video"][1].locked = True
        on.world.refuse.add("MediaPoolItem.ReplaceClip")
    report = finished(batch)
    if edit == "moved":
        assert outcomes(report) == [Outcome.TAKE] and placed(on) == [(400, 50)]
        return
    assert outcomes(report) == [Outcome.FAILED] and report.failed[0].remedy
    assert placed(on) == {"trimmed": [(100, 40)], "deleted": [], "locked": [(100, 50)]}[edit]
    assert clip.GetTakesCount() == 0


def test_lines_that_overlap(tmp_path: Path) -> None:
    """On tracks of ours they lie on two; on a chosen track the second is refused before it is rendered."""
    on = synthetic_stage()
    marker(on, 0, "One.", duration=60)
    marker(on, 40, "Two.", duration=60)
    marker(on, 60, "Three.", duration=30)
    marker(on, 100, "Four.", duration=30)
    batch, made = begun(on, tmp_path, Settings(video_track=1, audio_track=1))
    assert [order.request["text"] for order in made.orders] == ["One.", "Three.", "Four."]
    report = finished(batch)
    assert outcomes(report) == [Outcome.PLACED, Outcome.FAILED, Outcome.PLACED, Outcome.PLACED]
    assert "01:00:01:16" in report.failed[0].cause and "01:00:00:00" in report.failed[0].cause
    free = synthetic_stage()
    marker(free, 0, "One.", duration=60)
    marker(free, 40, "Two.", duration=60)
    assert outcomes(finished(begun(free, tmp_path)[0])) == [Outcome.PLACED] * 2
    assert [len(track.items) for track in free.timeline.tracks["video"]] == [0, 1, 1]


@pytest.mark.parametrize(
    ("rate", "first", "start", "name"),
    [
        ("24", 0, "00:00:00:00", "24"),
        ("25", 900000, "10:00:00:00", "25"),
        ("29.97 DF", 17982 - 30, "00:09:59;00", "29.97"),  # ten minutes are passed, where no numbers are dropped
        ("29.97 DF", 1798, "00:00:59;28", "29.97"),  # and a minute where they are
    ],
)
def test_wherever_a_timeline_begins(tmp_path: Path, rate: str, first: int, start: str, name: str) -> None:
    on = synthetic_stage(rate)
    on.timeline.first, on.timeline.start_timecode = first, start
    marker(on, 20, "Hello.", duration=45)
    batch, _ = begun(on, tmp_path, rate=name)
    assert outcomes(finished(batch)) == [Outcome.PLACED]
    assert placed(on) == [(20, 45)]
    editor = editor_of(on)
    assert editor.timecode(editor.start) == start
    on.timeline.playhead = editor.timecode(editor.start + 64)
    assert plan_at(editor, Settings(), editor.playhead()).line.text == "Hello."


def test_a_timeline_that_passes_midnight() -> None:
    on = synthetic_stage("29.97 DF")
    editor = editor_of(on)
    on.timeline.start_timecode = "23:59:50;00"
    on.timeline.first = editor.rate.frames_of("23:59:50;00")
    on.timeline.playhead = "00:00:05;00"
    assert editor.playhead() == editor.start + 15 * 30
    assert editor.timecode(editor.playhead()) == "00:00:05;00"


@pytest.mark.parametrize("setting", ["50i", "29.97i", "23.5", ""])
def test_rates_that_are_not_known_are_refused_with_words(setting: str) -> None:
    on = stage("24")
    on.timeline.rate = setting
    with pytest.raises(EditorError) as caught:
        Editor.of_current(bridge.connect(on.resolve))
    assert caught.value.code == "bad_rate" and "frames per second" in caught.value.remedy


@pytest.mark.parametrize("name", ["@Presenter", "@PRESENTER :", "@presenter"])
def test_capitals_and_words_on_several_lines(tmp_path: Path, name: str) -> None:
    on = synthetic_stage()
    marker(on, 0, "We ship\r\non Friday.\n", name=name)
    batch, made = begun(on, tmp_path)
    assert (made.orders[0].request["speaker"], made.orders[0].request["text"]) == ("presenter", "We ship\non Friday.")
    assert outcomes(finished(batch)) == [Outcome.PLACED]
    assert plan_missing(editor_of(on), Settings()) == []  # it is recognised as it stands
    assert on.timeline.markers[0.0]["name"] == name and on.timeline.markers[0.0]["note"] == "We ship\r\non Friday.\n"


def test_a_subtitle_on_two_lines(tmp_path: Path) -> None:
    on = synthetic_stage()
    on.timeline.put("subtitle", 1, 10, 50, name="@presenter: We ship\u2028on Friday.")
    batch, made = begun(on, tmp_path)
    assert made.orders[0].request["text"] == "We ship\non Friday."
    assert outcomes(finished(batch)) == [Outcome.PLACED] and placed(on) == [(10, 50)]
    assert planning.plan_missing(editor_of(on), Settings()) == []
