"""A watched folder from end to end, with time and renders under the test's control."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from watch_samples import Watched, make_database, make_home, render_waiting, speaker_record, wait_until

from retake.domain.errors import RetakeError
from retake.domain.job import JobResult, JobState, Priority
from retake.jobs import queue, records, running
from retake.jobs.database import Database
from retake.settings import Settings, WatchSettings
from retake.speakers import store as speakers
from retake.takes import store as takes
from retake.watch import claims, results
from retake.watch.folder import FolderWatcher
from retake.watch.layout import layout_of
from retake.watch.service import WatchService
from retake_otio import read_timeline

SRT = """1
00:00:01,000 --> 00:00:02,480
Good morning.

2
00:00:02,480 --> 00:00:04,000
Second cue.

3
00:00:10,020 --> 00:00:11,000
After a gap.
"""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    home = make_home(tmp_path / "home", "anna", "ben")
    database = make_database(home)
    folder = Watched(home, tmp_path / "drop", database, speaker="anna")
    folder.start()
    yield folder
    if folder.watcher is not None:
        folder.watcher.leave()
    database.close()


def test_a_text_becomes_a_clip(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello there.")
    watched.settle()
    assert watched.names("done") == ["hello.txt"]
    assert watched.names("out") == ["folder.otio", "hello.json", "hello.mp4", "hello.otio", "hello.png", "hello.srt"]
    assert watched.names("processing") == watched.names("failed") == []
    assert not list(watched.root.glob("*.txt"))
    [job] = watched.jobs()
    assert (job.client, job.priority, job.spec.kind) == ("watch:drop", Priority.BATCH, "line")
    report = json.loads((watched.root / "out" / "hello.json").read_text("utf-8"))
    assert report["request"]["text"] == "Hello there."
    timeline = read_timeline(watched.root / "out" / "hello.otio")
    [clip] = timeline.find_clips()
    assert clip.media_reference.target_url == (watched.root / "out" / "hello.mp4").as_posix()


def test_front_matter_is_obeyed(watched: Watched) -> None:
    watched.drop("talk.md", "---\nspeaker: ben\nfps: 30000/1001\nsize: 320x240\nfit: 2.5\nseed: 7\noutput: Opening\n---\nHello.\n")
    watched.settle()
    [job] = watched.jobs()
    assert job.spec.kind == "line"
    request = job.spec.request
    asked = (request.speaker, request.fps, request.width, request.height, request.fit, request.seed, request.text)
    assert asked == ("ben", "30000/1001", 320, 240, 2.5, 7, "Hello.")
    assert (watched.root / "out" / "Opening.mp4").exists()


def test_a_script_becomes_clips_and_a_timeline_of_them(watched: Watched) -> None:
    watched.drop("talk.md", "# Welcome\n\nOne.\n\n@ben: Two.\n\nThree.\n")
    watched.settle()
    timeline = read_timeline(watched.root / "out" / "talk.otio")
    assert timeline.name == "Welcome"
    assert [clip.name for clip in timeline.find_clips()] == ["One.", "Two.", "Three."]
    assert [Path(clip.media_reference.target_url).name for clip in timeline.find_clips()] == ["talk-001.mp4", "talk-002.mp4", "talk-003.mp4"]


def test_subtitles_lie_at_their_times_to_the_frame(watched: Watched) -> None:
    watched.drop("talk.srt", SRT)
    watched.settle()
    timeline = read_timeline(watched.root / "out" / "talk.otio")
    [track] = timeline.tracks
    found = [(type(item).__name__, item.trimmed_range_in_parent().start_time.value, item.duration().value) for item in track]
    # 25 frames a second: 1.000 -> 25, 2.480 -> 62, 4.000 -> 100, 10.020 -> 251 (half a frame rounds up), 11.000 -> 275
    assert found == [("Gap", 0, 25), ("Clip", 25, 37), ("Clip", 62, 38), ("Gap", 100, 151), ("Clip", 251, 24)]


def test_a_table_becomes_a_clip_a_row(watched: Watched) -> None:
    watched.drop("people.csv", "\ufeffname;company;text;output\nAnna;Acme;Hello {name} of {company}.;for-{name}\nBen;Initech;;\n")
    watched.settle()
    texts = sorted(job.spec.request.text for job in watched.jobs() if job.spec.kind == "line")
    assert texts == ["Hello Anna of Acme.", "Hello Ben of Initech."]
    clips = [name for name in watched.names("out") if name.endswith(".mp4")]
    assert clips == ["for-Anna.mp4", "people-002.mp4"]


def test_a_row_that_fails_does_not_stop_the_others(watched: Watched) -> None:
    watched.drop("people.csv", "name,text\nAnna,Hello {name}.\nBen,\nCleo,\n")

    def fails(job: object) -> RetakeError | None:
        return RetakeError("It takes too long.", "Shorten it.", code="does_not_fit") if "Ben" in str(job) else None

    watched.settle(fail=fails)
    assert watched.names("failed") == ["people.csv", "people.csv.error.txt"]
    text = watched.error("people.csv")
    assert "1 of 3 clips" in text and "Row 3: It takes too long.\nShorten it." in text and "Traceback" not in text
    assert [name for name in watched.names("out") if name.endswith(".mp4")] == ["people-001.mp4", "people-003.mp4"]
    # Dropped again, only what failed is rendered, and nothing lies there twice.
    watched.drop("people.csv", "name,text\nAnna,Hello {name}.\nBen,\nCleo,\n")
    watched.ticks()
    assert render_waiting(watched.home, watched.database) == 1
    watched.settle()
    assert watched.names("done") == ["people.csv"]
    assert [name for name in watched.names("out") if name.endswith(".mp4")] == ["people-001.mp4", "people-002.mp4", "people-003.mp4"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "", None),  # empty: left alone for a while first
        ("a.txt", b"\xff\xff\x00\x01 caf\xe9", "UTF-8"),
        ("a.md", "---\nspeakr: anna\n---\nHi.", "Options: speaker, fps, size, fit, seed, output"),
        ("a.md", "---\nspeaker: nobody\n---\nHi.", "nobody"),
        ("a.md", "---\nlanguage: German\n---\nGuten Tag.", "does not speak German (de); it speaks English (en).\nCan be installed, and speaks it: "),
        ("a.json", '{"text": "Hi.", "language": "double dutch"}', "is no language"),
        ("a.json", '{"text": "Hi.", "colour": "red"}', "'colour' is not an option"),
        ("a.json", '{"text": "Hi."', "Line 1"),
        ("a.json", '{"text": "\\ud800"}', "half a character"),
        ("a.yaml", "text: &a Hi\n", "references"),
        ("a.csv", "name,text\nAnna,Hi {nam}\n", "Columns: name, text"),
        ("a.csv", "name\nAnna\n", "no column 'text'"),
        ("a.srt", "1\n00:00:02,000 --> 00:00:01,000\nHi\n", "Cue 1 (line 2)"),
    ],
)
def test_what_cannot_be_rendered_ends_in_failed(watched: Watched, name: str, content: str | bytes, expected: str | None) -> None:
    watched.drop(name, content)
    watched.ticks(3)
    if expected is None:
        assert (watched.root / name).exists()
        watched.ticks(20)
        expected = "no line to speak"
    assert watched.names("failed") == [name, f"{name}.error.txt"]
    assert expected in watched.error(name)
    assert "Traceback" not in watched.error(name)
    assert watched.jobs() == []


def test_the_same_content_renders_once(watched: Watched) -> None:
    for name in ("one.txt", "two.txt"):
        watched.drop(name, "Hello.")
    watched.settle()
    watched.drop("one.txt", "Hello.")
    watched.drop("three.txt", "Hello.")
    watched.settle()
    assert len(watched.jobs()) == 1
    assert watched.names("done") == ["one-2.txt", "one.txt", "three.txt", "two.txt"]
    assert [name for name in watched.names("out") if name.endswith(".mp4")] == ["one.mp4", "three.mp4", "two.mp4"]


def test_another_text_of_the_same_name_replaces_nothing(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    (watched.root / "out" / "HELLO-2.png").write_bytes(b"somebody's picture")
    watched.drop("hello.txt", "Good bye.")
    watched.settle()
    clips = {name: (watched.root / "out" / name).read_bytes() for name in watched.names("out") if name.endswith(".mp4")}
    assert clips == {"hello.mp4": b"clipHello.", "hello-3.mp4": b"clipGood bye."}
    assert (watched.root / "out" / "HELLO-2.png").read_bytes() == b"somebody's picture"


def test_a_job_that_failed_is_tried_again_when_its_file_is_dropped_again(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle(fail=lambda job: RetakeError("The disk is full.", "Free some space.", code="x"))
    assert watched.names("failed") == ["hello.txt", "hello.txt.error.txt"]
    (watched.root / "failed" / "hello.txt").rename(watched.root / "hello.txt")
    watched.settle()
    assert watched.names("done") == ["hello.txt"]
    [job] = watched.jobs()
    assert job.state is JobState.SUCCEEDED


def test_a_take_that_was_deleted_is_made_again(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    [stored] = takes.history(watched.home)
    takes.delete(watched.home, stored.take.id)
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    assert len(watched.jobs()) == 2
    assert watched.names("done") == ["hello-2.txt", "hello.txt"]


def test_a_speaker_who_was_enrolled_anew_is_rendered_anew(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    record = speaker_record("anna").model_copy(update={"fingerprint": "another"})
    with speakers.building(watched.home, "anna", replace=True) as folder:
        speakers.save(folder, record)
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    assert len(watched.jobs()) == 2


def test_a_cancelled_job_says_so(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.ticks()
    queue.cancel(watched.database, watched.jobs()[0].id)
    watched.settle()
    assert "cancelled" in watched.error("hello.txt")


def test_a_job_removed_from_the_history_is_asked_for_anew(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.ticks()
    [job] = watched.jobs()
    queue.cancel(watched.database, job.id)
    queue.forget(watched.database, job.id)
    watched.settle()
    assert watched.names("done") == ["hello.txt"]


def test_a_timeline_comes_back_filled(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    content = (watched.root / "out" / "hello.otio").read_bytes()
    watched.drop("edit.otio", content)
    watched.ticks()
    [job] = [job for job in watched.jobs() if job.spec.kind == "timeline"]
    assert job.spec.kind == "timeline" and Path(job.spec.timeline).parent == watched.root and job.spec.speaker == "anna"
    watched.drop("again.otio", content)
    watched.settle()
    assert (watched.root / "out" / "edit.otio").read_bytes() == (watched.root / "out" / "again.otio").read_bytes() == content
    assert watched.names("done") == ["again.otio", "edit.otio", "hello.txt"]
    assert len(watched.jobs()) == 2
    assert [path.name for path in watched.root.iterdir() if path.is_file()] == []


def test_a_timeline_of_which_lines_could_not_be_filled_is_in_both_folders(watched: Watched) -> None:
    watched.drop("hello.txt", "Hello.")
    watched.settle()
    watched.drop("edit.otio", (watched.root / "out" / "hello.otio").read_bytes())
    watched.ticks()
    (job,) = records.waiting(watched.database)
    assert running.claim(watched.database, job.id, job.generation, "tester") is not None
    assert job.spec.kind == "timeline"
    notes = ["Clip 'b': It takes 3.1 s. Give it 78 frames. It stays as it is.", "Clip 'a': A note."]
    result = JobResult(takes=["0" * 16], timeline=job.spec.timeline, notes=notes, unfilled=1)
    assert running.succeed(watched.database, job.id, job.generation, result)
    watched.settle()
    assert "edit.otio" in watched.names("out")
    assert watched.names("failed") == ["edit.otio", "edit.otio.error.txt"]
    text = watched.error("edit.otio")
    assert "1 of 2 lines of edit.otio were not filled. The timeline with the others is in the folder 'out'." in text
    assert notes[0] in text and notes[1] not in text


def test_what_is_not_for_retake_stays(watched: Watched, tmp_path: Path) -> None:
    watched.ticks(1)
    secret = tmp_path / "secret.txt"
    secret.write_text("Not for you.", encoding="utf-8")
    (watched.root / "link.txt").symlink_to(secret)
    (watched.root / "sub.txt").mkdir()
    (watched.root / "sub").mkdir()
    (watched.root / "sub" / "inner.txt").write_text("Hi.", encoding="utf-8")
    if hasattr(os, "mkfifo"):
        os.mkfifo(watched.root / "pipe.txt")
    for name in ("a.txt.crdownload", "b.txt.part", "~$c.txt", ".DS_Store", ".hidden.txt", "notes.docx", "d.txt~"):
        watched.drop(name, "Hello.")
    before = sorted(path.name for path in watched.root.iterdir())
    watched.settle()
    assert sorted(path.name for path in watched.root.iterdir()) == before
    assert watched.jobs() == []
    assert [(note.kind, note.name) for note in watched.notes if note.kind == "left"] == [("left", "notes.docx")]


def test_a_file_that_grows_is_left_alone(watched: Watched) -> None:
    path = watched.drop("long.txt", "One.")
    for _ in range(8):
        watched.ticks(1, seconds=0.4)
        with path.open("a") as file:
            file.write(" More.")
    assert path.exists()
    watched.ticks(3)
    assert not path.exists()


def test_one_watcher_at_a_time(watched: Watched) -> None:
    notes: list[str] = []
    watch = WatchSettings(folder=str(watched.root), polling=True)
    watched.ticks(1)
    other = FolderWatcher(
        watched.home, watched.database, Settings(), watch, tell=lambda note: notes.append(note.text), ring=list, clock=watched.clock
    )
    watched.drop("hello.txt", "Hello.")
    for _ in range(4):
        other.tick()
        watched.clock.now += 1.0
    assert not other.owner and (watched.root / "hello.txt").exists()
    assert len(notes) == 1 and str(os.getpid()) in notes[0]
    assert watched.watcher is not None
    watched.watcher.leave()
    other.tick()
    assert other.owner
    other.leave()


def test_two_that_claim_at_once_get_a_file_each(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    (tmp_path / "drop").mkdir()
    layout = layout_of(tmp_path / "drop", home)
    layout.prepare()
    names = [f"{number}.txt" for number in range(200)]
    for name in names:
        (layout.root / name).write_text("Hi.", encoding="utf-8")
    taken: list[claims.Claimed] = []

    def take_all() -> None:
        taken.extend(claimed for name in names if (claimed := claims.claim(layout, name)) is not None)

    threads = [threading.Thread(target=take_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed.name for claimed in taken) == sorted(names)
    assert len(claims.claimed_before(layout)) == 200


class Killed(BaseException):
    """As if the process had been killed there."""


def _points() -> list[tuple[str, object, str]]:
    return [
        ("after the claim", claims, "claim"),
        ("after submitting", queue, "submit_all"),
        ("after delivering", results, "deliver"),
        ("after a folder of parts", results, "_write"),
        ("after the error file", claims, "atomic_text"),
        ("after putting it into done", claims, "put_into_done"),
        ("after putting it into failed", claims, "put_into_failed"),
    ]


@pytest.mark.parametrize("point", _points(), ids=[point[0] for point in _points()])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_killed_at_any_moment_each_file_ends_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, point: tuple[str, object, str], when: int
) -> None:
    """Everything up to the call happens, the watcher dies, another one begins."""
    import retake.watch.delivery
    import retake.watch.folder
    import retake.watch.intake

    where, module, name = point
    real = getattr(module, name)
    calls: list[int] = []

    def dies(*arguments: object, **options: object) -> object:
        answer = real(*arguments, **options)
        calls.append(1)
        if len(calls) == when:
            raise Killed
        return answer

    monkeypatch.setattr(module, name, dies)
    if name == "deliver":
        monkeypatch.setattr(retake.watch.delivery, "deliver", dies)
    watched.drop("one.txt", "One.")
    watched.drop("two.md", "First.\n\nSecond.\n")
    watched.drop("bad.json", "{")
    watched.drop("worse.json", "[")
    watched.drop("worst.json", "]")
    for _ in range(10):
        try:
            watched.settle()
            break
        except Killed:
            watched.restart()
    assert calls, where
    assert watched.names("done") == ["one.txt", "two.md"]
    assert watched.names("failed") == [n for b in ("bad", "worse", "worst") for n in (f"{b}.json", f"{b}.json.error.txt")]
    assert watched.names("processing") == []
    assert [path for path in watched.root.iterdir() if path.is_file()] == []
    assert [n for n in watched.names("out") if n.endswith(".mp4")] == ["one.mp4", "two-001.mp4", "two-002.mp4"]
    assert len(watched.jobs()) == 3
    assert len(list(read_timeline(watched.root / "out" / "folder.otio").find_clips())) == 3


def test_the_timeline_of_the_folder_follows_what_is_there(watched: Watched) -> None:
    watched.drop("b.txt", "Second.")
    watched.drop("a.csv", "text\nFirst row.\nSecond row.\n")
    watched.drop("ntsc.md", "---\nfps: 29.97\n---\nAnother rate.\n")
    watched.settle()
    out = watched.root / "out"
    assert [clip.name for clip in read_timeline(out / "folder.otio").find_clips()] == ["First row.", "Second row.", "Second."]
    assert [clip.name for clip in read_timeline(out / "folder-30000-1001.otio").find_clips()] == ["Another rate."]
    for path in [*out.glob("a-001.*"), *out.glob("ntsc.*")]:
        path.unlink()
    watched.drop("c.txt", "Third.")
    watched.settle()
    assert [clip.name for clip in read_timeline(out / "folder.otio").find_clips()] == ["Second row.", "Second.", "Third."]
    assert not (out / "folder-30000-1001.otio").exists()


def test_a_timeline_of_somebody_elses_is_not_replaced(watched: Watched) -> None:
    watched.ticks(1)
    mine = watched.root / "out" / "folder.otio"
    mine.write_text('{"OTIO_SCHEMA": "Timeline.1", "name": "mine"}', encoding="utf-8")
    watched.drop("a.txt", "Hi.")
    watched.settle()
    assert "mine" in mine.read_text("utf-8")
    assert watched.names("done") == ["a.txt"]


def test_many_files_at_once_all_arrive(tmp_path: Path) -> None:
    """With threads, notices of the system, and a worker beside it."""
    home = make_home(tmp_path / "home")
    database = make_database(home)
    root = tmp_path / "drop"
    root.mkdir()
    service = WatchService(home, database, Settings(watch=(WatchSettings(folder=str(root)),)))
    service.start()
    try:
        wait_until((root / "processing").is_dir, 30, "the folders")
        for number in range(60):
            (root / f"{number:03d}.txt").write_text(f"Line number {number}.", encoding="utf-8")

        def all_done() -> bool:
            render_waiting(home, database)
            return len(list((root / "done").iterdir())) == 60

        wait_until(all_done, 90, "60 files")
        assert len(list((root / "out").glob("*.mp4"))) == 60
        assert records.find(database, records.Filter()).total == 60
    finally:
        service.stop()
        database.close()
    assert len(list(read_timeline(root / "out" / "folder.otio").find_clips())) == 60


def test_a_folder_that_goes_away_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retake.watch.service.AGAIN_SECONDS", 0.1)
    home = make_home(tmp_path / "home")
    database = make_database(home)
    root = tmp_path / "drop"
    service = WatchService(home, database, Settings(watch=(WatchSettings(folder=str(root), polling=True),)))
    service.start()
    try:
        wait_until(lambda: service.status()[0].state == "problem" and bool(service.status()[0].text), 30, "the problem")
        assert "drop" in service.status()[0].text
        root.mkdir()
        wait_until(lambda: service.status()[0].state == "watching", 30, "watching")
        root.rename(tmp_path / "away")
        wait_until(lambda: service.status()[0].state == "problem", 30, "the problem")
        (tmp_path / "away").rename(root)
        wait_until(lambda: service.status()[0].state == "watching", 30, "watching again")
    finally:
        service.stop()
        database.close()


@pytest.mark.parametrize("inside", ["", "speakers"])
def test_folders_that_hold_other_things_are_refused(tmp_path: Path, inside: str) -> None:
    home = make_home(tmp_path / "home")
    with pytest.raises(RetakeError) as caught:
        layout_of(home / inside, home)
    assert caught.value.code == "bad_watch_folder"
    with pytest.raises(RetakeError):
        layout_of(Path.home(), home)


def test_a_link_in_the_place_of_out_is_refused(watched: Watched, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (watched.root / "out").symlink_to(elsewhere)
    with pytest.raises(RetakeError) as caught:
        watched.ticks(1)
    assert caught.value.code == "linked_folder"


def test_the_same_on_every_database(database: Database, tmp_path: Path) -> None:
    folder = Watched(make_home(tmp_path / "home"), tmp_path / "drop", database)
    folder.start()
    folder.drop("people.csv", "name,text\n" + "".join(f"Person {number},Hello {{name}}.\n" for number in range(12)))
    folder.drop("hello.txt", "Hello Person 7.")
    folder.settle()
    assert folder.names("done") == ["hello.txt", "people.csv"]
    assert len([name for name in folder.names("out") if name.endswith(".mp4")]) == 13
    assert len(folder.jobs()) == 12
    assert folder.watcher is not None
    folder.watcher.leave()
