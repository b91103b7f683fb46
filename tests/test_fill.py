"""Timelines with placeholders: what is asked of each clip, what is refused before anything is rendered, and the filled timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest

from retake import fill, pipeline
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.domain.speaker import Consent, Speaker
from retake.domain.take import Take, TakeRequest
from retake.media.audio import write_wav
from retake.media.probe import probe
from retake.speakers import store
from retake.takes import finish
from retake.takes import store as takes
from retake_otio import line_parameters, read_timeline, write_timeline

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange


@pytest.fixture
def home(tmp_path: Path) -> Path:
    now = datetime(2026, 5, 12, tzinfo=UTC)
    speaker = Speaker(
        name="anna", consent=Consent(statement="I agree to this.", recorded_by="anna", recorded_at=now, reference_sha256="0" * 64), created_at=now,
        product_version="0", transcript="", transcript_source="none", rate="25", frames=100, width=64, height=64, seconds=4.0, voice_engine="x 1",
        voice_similarity=None, loudness_lufs=None, lag_seconds=0.0, lag_confidence=0.0, fingerprint="anna",
    )  # fmt: skip
    with store.building(tmp_path / "home", "anna") as folder:
        store.save(folder, speaker)
    return tmp_path / "home"


def timeline(path: Path, clips: Sequence[dict[str, Any]], *, frames: int = 50, rate: float = 25.0) -> Path:
    made = otio.schema.Timeline("edit")
    track = otio.schema.Track("V1")
    made.tracks.append(track)
    for number, retake in enumerate(clips, 1):
        span = Range(Time(0, rate), Time(frames, rate))
        track.append(otio.schema.Clip(f"slate {number}", source_range=span, metadata={"retake": retake} if retake else {}))
    write_timeline(path, made)
    return path


def asked(home: Path, path: Path, *, speaker: str | None = None, seed: int = 0, roots: Sequence[Path] = ()) -> list[TakeRequest]:
    return [found.request for found in fill.plan(path, fill.Options(speaker=speaker, seed=seed), home=home, roots=roots).lines]


def refused(home: Path, path: Path, speaker: str | None = None) -> RetakeError:
    with pytest.raises(RetakeError) as caught:
        asked(home, path, speaker=speaker)
    return caught.value


def take_of(request: TakeRequest, home: Path, *, frames: int = 50, identifier: str = "00000000000000aa") -> Take:
    files = finish.files_in(takes.take_folder(home, identifier))
    return Take(id=identifier, request=request, files=files, frames=frames, rate=str(request.fps), width=64, height=64, sha256="0" * 64)


def test_a_placeholder_says_what_is_wanted(home: Path, tmp_path: Path) -> None:
    clips = [{"text": "Hello.", "speaker": "anna", "seed": 7, "width": 128, "height": 64, "line": "opening"}, {}, {"text": "Bye."}]
    first, second = asked(home, timeline(tmp_path / "e.otio", clips, rate=23.976), speaker="anna", seed=5)
    assert (first.text, first.speaker, first.seed, first.fps, first.width, first.height) == ("Hello.", "anna", 7, "24000/1001", 128, 64)
    assert first.fit == pytest.approx(50 * 1001 / 24000)
    assert (second.text, second.speaker, second.seed, second.width) == ("Bye.", "anna", 5, None)
    assert first.line_id == "opening"


def test_the_same_timeline_asks_for_the_same_lines(home: Path, tmp_path: Path) -> None:
    path = timeline(tmp_path / "e.otio", [{"text": "Hello."}, {"text": "Hello."}])
    one, other = asked(home, path, speaker="anna"), asked(home, path, speaker="anna")
    assert one == other
    assert one[0].line_id != one[1].line_id


@pytest.mark.parametrize(
    ("clips", "code", "kind"),
    [
        ([{"text": "Hello."}], "no_speaker", ErrorKind.NOT_FOUND),
        ([{"text": "Hello.", "speaker": "bert"}], "unknown_speaker", ErrorKind.NOT_FOUND),
        ([{"text": "Hello.", "speaker": "../anna"}], "bad_name", ErrorKind.BAD_INPUT),
        ([{"text": " ", "speaker": "anna"}], "text_empty", ErrorKind.BAD_INPUT),
        ([{"text": "Привет, как дела?", "speaker": "anna"}], "text_language", ErrorKind.BAD_INPUT),
        ([{"text": "Hello.", "speaker": "anna", "seed": -1}], "bad_placeholder", ErrorKind.BAD_INPUT),
        ([{"text": "Hello.", "speaker": "anna", "width": 128}], "bad_size", ErrorKind.BAD_INPUT),
        ([{"text": "Hello.", "speaker": "anna", "voice_engine": "other"}], "unknown_engine", ErrorKind.BAD_INPUT),
        ([{"audio": "/etc/passwd", "speaker": "anna"}], "outside_roots", ErrorKind.REFUSED),
        ([{"audio": "../../secret.wav", "speaker": "anna"}], "outside_roots", ErrorKind.REFUSED),
        ([{"audio": "gone.wav", "speaker": "anna"}], "missing_file", ErrorKind.NOT_FOUND),
    ],
)
def test_what_is_wrong_with_a_placeholder_names_its_clip(home: Path, tmp_path: Path, clips: list[dict[str, Any]], code: str, kind: ErrorKind) -> None:
    error = refused(home, timeline(tmp_path / "e.otio", [{}, *clips]))
    assert (error.code, error.kind) == (code, kind)
    assert "Clip 'slate 2'" in error.cause


def test_what_is_wrong_with_a_timeline_names_its_file(home: Path, tmp_path: Path) -> None:
    error = refused(home, timeline(tmp_path / "e.otio", [{}]), "anna")
    assert error.code == "no_placeholders"
    assert error.cause.startswith("e.otio")
    assert "metadata" in error.remedy
    (tmp_path / "x.otio").write_text("[" * 100_000, encoding="utf-8")
    assert refused(home, tmp_path / "x.otio").code == "bad_timeline"
    assert refused(home, tmp_path / "gone.otio").code == "missing_file"
    assert refused(home, tmp_path).code == "not_readable"
    assert refused(home, timeline(tmp_path / "long.otio", [{"text": "Hi."}], frames=25 * 3601), "anna").code == "bad_placeholder"


def test_a_recording_whose_name_is_none(home: Path, tmp_path: Path) -> None:
    path = timeline(tmp_path / "e.otio", [{"audio": "a@.wav", "speaker": "anna"}])
    path.write_text(path.read_text(encoding="utf-8").replace("a@.wav", "a\\u0000.wav"), encoding="utf-8")
    assert refused(home, path).code == "outside_roots"


def test_a_recording_lies_beside_the_timeline_or_in_a_root(home: Path, tmp_path: Path) -> None:
    edit, shared = tmp_path / "edit", tmp_path / "shared"
    edit.mkdir()
    shared.mkdir()
    for folder in (edit, shared):
        write_wav(folder / "voice.wav", np.zeros(48000, np.float32), 48000)
    beside = timeline(edit / "beside.otio", [{"audio": "voice.wav", "speaker": "anna"}])
    (request,) = asked(home, beside)
    assert request.audio == str((edit / "voice.wav").resolve())
    elsewhere = timeline(edit / "elsewhere.otio", [{"audio": str(shared / "voice.wav"), "speaker": "anna"}])
    assert refused(home, elsewhere).code == "outside_roots"
    assert len(asked(home, elsewhere, roots=[shared])) == 1
    (edit / "link.wav").symlink_to(shared / "voice.wav")
    assert refused(home, timeline(edit / "link.otio", [{"audio": "link.wav", "speaker": "anna"}])).code == "outside_roots"


def test_the_filled_timeline_shows_the_takes(home: Path, tmp_path: Path) -> None:
    path = timeline(tmp_path / "e.otio", [{"text": "Hello.", "speaker": "anna"}, {}, {"text": "Bye.", "speaker": "anna"}])
    before = path.read_bytes()
    planned = fill.plan(path, fill.Options(), home=home)
    found = planned.lines
    made = {placeholder.key: take_of(placeholder.request, home, identifier=f"{n:016x}") for n, placeholder in enumerate(found)}
    output = fill.fill(path, planned, made, tmp_path / "filled.otio").path
    assert path.read_bytes() == before
    filled = read_timeline(output)
    assert filled.duration() == read_timeline(path).duration()
    first, other, last = filled.find_clips()
    assert first.media_reference.target_url == (home / "takes" / f"{0:016x}" / "take.mp4").absolute().as_posix()
    assert last.active_media_reference_key == f"take_{1:016x}"
    assert isinstance(other.media_reference, otio.schema.MissingReference)
    parameters = line_parameters(first)
    assert parameters is not None
    assert TakeRequest(**parameters, line_id=found[0].request.line_id) == found[0].request
    # What was filled asks for the same lines again.
    again = fill.plan(output, fill.Options(), home=home).lines
    assert [(one.key, one.request) for one in again] == [(one.key, one.request) for one in found]


def test_some_placeholders_may_stay(home: Path, tmp_path: Path) -> None:
    path = timeline(tmp_path / "e.otio", [{"text": "Hello.", "speaker": "anna"}, {"text": "Bye.", "speaker": "anna"}])
    planned = fill.plan(path, fill.Options(), home=home)
    first, _ = planned.lines
    filled = read_timeline(fill.fill(path, planned, {first.key: take_of(first.request, home)}, tmp_path / "filled.otio").path)
    assert [isinstance(clip.media_reference, otio.schema.ExternalReference) for clip in filled.find_clips()] == [True, False]
    with pytest.raises(ValueError, match="no lines 77"):
        fill.fill(path, planned, {"77": take_of(first.request, home)}, tmp_path / "filled.otio")


def test_a_timeline_that_changed_meanwhile_is_not_filled(home: Path, tmp_path: Path) -> None:
    path = timeline(tmp_path / "e.otio", [{"text": "Hello.", "speaker": "anna"}])
    planned = fill.plan(path, fill.Options(), home=home)
    (found,) = planned.lines
    with pytest.raises(RetakeError) as caught:
        fill.fill(path, planned, {found.key: take_of(found.request, home, frames=49)}, tmp_path / "filled.otio")
    assert caught.value.code == "take_does_not_match"
    assert not (tmp_path / "filled.otio").exists()


def test_what_is_no_timeline_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.otio").write_text("my notes", encoding="utf-8")
    for name, code in (("notes.otio", "would_overwrite"), ("filled.mp4", "bad_output"), ("gone/filled.otio", "no_output_folder")):
        with pytest.raises(RetakeError) as caught:
            fill.check_output(tmp_path / name)
        assert caught.value.code == code
    fill.check_output(timeline(tmp_path / "earlier.otio", [{}]))


def test_lines_are_rendered_and_put_into_their_places(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    home = copy_of_presenter_home
    clips = [{"text": "Good morning, everybody.", "width": 160, "height": 160}]
    path = timeline(tmp_path / "e.otio", clips, frames=60, rate=29.97)
    planned = fill.plan(path, fill.Options(speaker="presenter"), home=home)
    (found,) = planned.lines
    assert pipeline.prepare_line(found.request, home=home, progress=Progress())
    take = pipeline.render(found.request, home=home, output=None, progress=Progress())
    assert (take.frames, take.rate) == (60, "30000/1001")
    assert takes.find(home, pipeline.take_key(found.request, home=home)) is not None
    output = fill.fill(path, planned, {found.key: take}, tmp_path / "filled.otio").path
    (filled,) = read_timeline(output).find_clips()
    info = probe(filled.media_reference.target_url, need_video=True)
    assert info.frames == filled.source_range.duration.value == 60
    # The timeline of a take asks for a line without a length: it stays that take, also where it has been filled already.
    natural = pipeline.render(found.request.model_copy(update={"fit": None}), home=home, output=None, progress=Progress())
    (again,) = fill.plan(Path(natural.files.timeline), fill.Options(), home=home).lines
    assert again.request.fit is None
    assert pipeline.render(again.request, home=home, output=None, progress=Progress()).cached


def marked(path: Path, *, frames: int = 200, duration: int = 50, locked: bool = False, **said: Any) -> Path:
    """A timeline with a marker at frame 40 and a placeholder at frame 100."""
    made = otio.schema.Timeline("edit")
    slate = otio.schema.Clip("slate", source_range=Range(Time(0, 25), Time(50, 25)), metadata={"retake": {"text": "Bye.", "line": "l2", **said}})
    footage = otio.schema.Clip("a", source_range=Range(Time(0, 25), Time(100, 25)))
    made.tracks.append(otio.schema.Track("V1", children=[footage, slate, otio.schema.Clip("b", source_range=Range(Time(0, 25), Time(frames, 25)))]))
    marker = otio.schema.Marker("@anna: Hello there.", marked_range=Range(Time(40, 25), Time(duration, 25)))
    marker.metadata["retake"] = {"line": "l1", **({"locked": True} if locked else {})}
    made.tracks.markers.append(marker)
    write_timeline(path, made)
    return path


def planned(home: Path, path: Path, **options: Any) -> fill.Plan:
    return fill.plan(path, fill.Options(**{"speaker": "anna", **options}), home=home)


def test_markers_are_lines(home: Path, tmp_path: Path) -> None:
    first, second = planned(home, marked(tmp_path / "e.otio")).lines
    assert (first.label, first.request.text, first.request.speaker, first.request.fit) == (
        "Marker '@anna: Hello there.'",
        "Hello there.",
        "anna",
        2.0,
    )
    assert (first.request.line_id, second.request.line_id) == ("l1", "l2")
    assert [one.label for one in planned(home, marked(tmp_path / "e.otio"), markers=False).lines] == ["Clip 'slate'"]
    (natural, _) = planned(home, marked(tmp_path / "e.otio", duration=0)).lines
    assert natural.request.fit is None


@pytest.mark.parametrize(
    ("conform", "handles", "asked"),
    [
        ("fit", None, (2.0, "fit", 0)),
        ("fit", 9, (2.0, "fit", 9)),
        ("keep", None, (2.0, "natural", 13)),
        ("keep", 30, (2.0, "natural", 30)),
        ("ripple", None, (None, "fit", 0)),
    ],
)
def test_how_a_line_and_its_slot_get_along(home: Path, tmp_path: Path, conform: str, handles: int | None, asked: tuple[Any, ...]) -> None:
    for wanted in planned(home, marked(tmp_path / "e.otio"), conform=conform, handles=handles).lines:
        assert (wanted.request.fit, wanted.request.pace, wanted.request.handles) == asked
        assert wanted.conform == conform


def test_a_line_may_have_its_own_way(home: Path, tmp_path: Path) -> None:
    first, second = planned(home, marked(tmp_path / "e.otio", conform="ripple"), conform="keep").lines
    assert (first.conform, second.conform, second.request.fit) == ("keep", "ripple", None)
    error = refused(home, timeline(tmp_path / "s.otio", [{"text": "Hi.", "conform": "squeeze"}]), "anna")
    assert error.code == "bad_placeholder"
    assert "fit, keep, ripple" in error.remedy


def test_a_line_that_cannot_be_filled_holds_up_no_other(home: Path, tmp_path: Path) -> None:
    clips = [{"text": "Привет, как дела?"}, {"text": "Hello."}, {"text": "Hi.", "speaker": "bert"}, {"text": "No.", "seed": "one"}]
    path = timeline(tmp_path / "e.otio", clips)
    plan = planned(home, path)
    assert [line.request.text for line in plan.lines] == ["Hello."]
    assert {line.error.code for line in plan.unfilled} == {"bad_placeholder", "text_language", "unknown_speaker"}
    done = fill.fill(path, plan, {plan.lines[0].key: take_of(plan.lines[0].request, home)}, tmp_path / "filled.otio", options=fill.Options("anna"))
    assert len(done.notes) == 3 and all(note.startswith("Clip 'slate") and note.endswith("It stays as it is.") for note in done.notes)
    before, after = list(read_timeline(path).find_clips()), list(read_timeline(done.path).find_clips())
    assert [one.is_equivalent_to(other) for one, other in zip(before, after, strict=True)] == [True, False, True, True]
    with pytest.raises(RetakeError) as caught:
        planned(home, path, strict=True)
    assert caught.value.code == "bad_placeholder"
    nothing = refused(home, timeline(tmp_path / "n.otio", [clips[0], clips[2]]), "anna")
    assert nothing.code == "text_language" and "1 more" in nothing.cause


def test_a_full_disk_is_no_matter_of_one_line() -> None:
    assert not fill.of_one_line(RetakeError("The disk is full.", "Free some.", kind=ErrorKind.ENVIRONMENT, code="disk_full"))


def test_some_lines_only(home: Path, tmp_path: Path) -> None:
    path = marked(tmp_path / "e.otio", locked=True)
    everything = planned(home, path)
    assert [wanted.request.line_id for wanted in everything.lines] == ["l2"]
    assert everything.notes == ["Marker '@anna: Hello there.': It is locked and stays as it is."]
    assert [wanted.request.line_id for wanted in planned(home, path, refill=("l2",)).lines] == ["l2"]
    for name, code in (("l1", "line_locked"), ("l9", "unknown_line")):
        with pytest.raises(RetakeError) as caught:
            planned(home, path, refill=(name,))
        assert caught.value.code == code


def test_a_line_again_has_another_seed(home: Path, tmp_path: Path) -> None:
    path = marked(tmp_path / "e.otio", seed=4)
    seeds = []
    for number in range(3):
        plan = planned(home, path, refill=("l2",), again=True)
        (wanted,) = plan.lines
        seeds.append(wanted.request.seed)
        take = take_of(wanted.request, home, identifier=f"{number:016x}")
        path = fill.fill(path, plan, {wanted.key: take}, tmp_path / "again.otio").path
    assert seeds == [4, 5, 6]
    (slate,) = [clip for clip in read_timeline(path).find_clips() if clip.name == "slate"]
    assert len(slate.media_references()) == 5  # its own, the line, three takes


def test_what_could_not_be_done_is_said(home: Path, tmp_path: Path) -> None:
    path = marked(tmp_path / "e.otio")
    plan = planned(home, path, conform="ripple")
    takes = {wanted.key: take_of(wanted.request, home, frames=70, identifier=f"{n:016x}") for n, wanted in enumerate(plan.lines)}
    takes[plan.lines[0].key] = takes[plan.lines[0].key].model_copy(update={"measured": {"notes": ["A note."]}})
    done = fill.fill(path, plan, takes, tmp_path / "filled.otio")
    assert "Marker '@anna: Hello there.': A note." in done.notes
    assert any("'a' on track 'V1' lies across" in note for note in done.notes)
    filled = read_timeline(done.path)
    assert [track.name for track in filled.tracks] == ["V1", "Retake"]
    again = planned(home, done.path, conform="ripple")
    assert [(one.key, one.request.line_id) for one in again.lines] == [("00004", "l1"), ("00002", "l2")]
    assert fill.fill(done.path, again, dict(zip([one.key for one in again.lines], takes.values(), strict=True)), tmp_path / "f2.otio").notes == [
        "Marker '@anna: Hello there.': A note."
    ]


def test_longer_handles_that_a_take_has_already_stay(home: Path, tmp_path: Path) -> None:
    path = marked(tmp_path / "e.otio")
    plan = planned(home, path, handles=20)
    takes = {wanted.key: take_of(wanted.request, home, frames=90, identifier=f"{n:016x}") for n, wanted in enumerate(plan.lines)}
    path = fill.fill(path, plan, takes, tmp_path / "filled.otio").path
    assert [wanted.request for wanted in planned(home, path).lines] == [wanted.request for wanted in plan.lines]


def test_words_that_need_longer_handles_get_them(copy_of_presenter_home: Path, tmp_path: Path) -> None:
    home = copy_of_presenter_home
    text = "Good morning, everybody. Let us begin with the first chapter."
    (wanted,) = fill.plan(timeline(tmp_path / "e.otio", [{"text": text}]), fill.Options(speaker="presenter", conform="keep"), home=home).lines
    request = fill.with_room(wanted, home=home, progress=Progress())
    assert request.handles > wanted.request.handles
    assert request == fill.with_room(wanted, home=home, progress=Progress())
    assert pipeline.words_need_handles(request, home=home, progress=Progress()) == request.handles
