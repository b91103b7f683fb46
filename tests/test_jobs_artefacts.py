"""What several machines share: complete or not at all, checked on arrival, gone everywhere when it is deleted."""

from __future__ import annotations

import json
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from artefact_samples import listing, make_speaker, make_take

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, JobResult, LineSpec, ScriptSpec, TimelineSpec
from retake.domain.take import TakeRequest
from retake.jobs import artefact_store, artefact_tidy
from retake.jobs.artefact_manifest import Manifest, check_name
from retake.jobs.artefact_store import hidden, open_store
from retake.jobs.artefacts import Artefacts
from retake.speakers import store as speakers
from retake.takes import store as takes

OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["folder", "file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "shared").mkdir()
    if request.param == "memory":
        name = secrets.token_hex(4)
        yield f"memory://{name}/retake"
        fsspec.filesystem("memory").rm(f"/{name}", recursive=True) if fsspec.filesystem("memory").exists(f"/{name}") else None
    else:
        yield str(tmp_path / "shared") if request.param == "folder" else (tmp_path / "shared").as_uri()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefact_store, "PATIENCE", (0.0, 0.0))


def machines(url: str, tmp_path: Path, count: int = 2) -> list[Artefacts]:
    homes = [tmp_path / f"machine {number}" for number in range(count)]
    for home in homes:
        home.mkdir(exist_ok=True)
    return [Artefacts(url, home) for home in homes]


def the_file(shared: Path, pattern: str) -> Path:
    [path] = shared.glob(pattern)
    return path


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(RetakeError) as caught:
        call(*arguments)
    return caught.value.code


# Speakers


def test_a_speaker_arrives_as_it_was(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    speaker = make_speaker(one.home)
    one.push_speaker("anna")
    folder = two.ensure_speaker("anna")
    assert speakers.load(two.home, "anna") == speaker
    assert (folder / "face" / "mouths.safetensors").read_bytes() == b"mouths of picture"
    assert (folder / "report.html").is_file()
    assert two.ensure_speaker("anna") == folder


def test_pushing_the_same_again_changes_nothing(url: str, tmp_path: Path) -> None:
    [one] = machines(url, tmp_path, 1)
    make_speaker(one.home)
    one.push_speaker("anna")
    before = listing(one)
    one.push_speaker("anna")
    assert listing(one) == before


def test_a_replaced_speaker_is_fetched_anew_and_the_old_files_are_gone(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home, content=b"first")
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    newer = make_speaker(one.home, content=b"second")
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    assert speakers.load(two.home, "anna").fingerprint == newer.fingerprint
    assert len(listing(one, "speakers/anna")) == 5  # four files and the manifest


def test_a_changed_consent_is_fetched(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    speaker = make_speaker(one.home)
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    changed = speaker.model_copy(update={"consent": speaker.consent.model_copy(update={"statement": "Only until June."})})
    speakers.save(speakers.speaker_folder(one.home, "anna"), changed)
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    assert speakers.load(two.home, "anna").consent.statement == "Only until June."


def test_a_speaker_that_was_enrolled_before_anything_was_shared_is_shared_when_it_is_needed(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    assert code_of(two.ensure_speaker, "anna") == "unknown_speaker"
    one.share(LineSpec(request=TakeRequest(speaker="anna", text="Hello.")))
    two.ensure_speaker("anna")


def test_the_newest_enrolment_wins(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home, content=b"old", created_at=OLD)
    one.push_speaker("anna")
    newer = make_speaker(two.home, content=b"new")
    two.ensure_speaker("anna")
    one.ensure_speaker("anna")
    assert speakers.load(one.home, "anna").fingerprint == speakers.load(two.home, "anna").fingerprint == newer.fingerprint


def test_an_old_copy_does_not_come_back_over_a_slow_clock(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home, content=b"old", created_at=datetime.now(UTC) + timedelta(hours=1))
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    newer = make_speaker(one.home, content=b"new")
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    assert speakers.load(two.home, "anna").fingerprint == newer.fingerprint


def test_a_deleted_speaker_disappears_everywhere(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    reference = speakers.speaker_folder(one.home, "anna") / "reference.mp4"
    two.ensure_input(one.push_input(reference))
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    one.delete_speaker("anna")
    speakers.delete(one.home, "anna")
    assert listing(one) == ["deleted/speakers/anna.json"]
    assert code_of(two.ensure_speaker, "anna") == "unknown_speaker"
    assert [path for path in two.home.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_machine_that_has_no_work_drops_what_was_deleted(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    make_speaker(two.home, "bert")
    take = make_take(one.home)
    one.push_speaker("anna")
    one.push_take(take.id)
    two.ensure_speaker("anna")
    two.ensure_take(take.id)
    one.delete_speaker("anna")
    one.delete_take(take.id)
    assert artefact_tidy.drop_deleted(two) == ["speakers/anna", f"takes/{take.id}"]
    assert artefact_tidy.drop_deleted(two) == []
    assert speakers.names(two.home) == ["bert"]
    assert takes.history(two.home) == []


def test_what_was_deleted_can_be_made_again(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    one.push_speaker("anna")
    one.delete_speaker("anna")
    one.delete_take(make_take(one.home).id)
    make_speaker(one.home, content=b"again")
    one.push_speaker("anna")
    one.push_take(make_take(one.home).id)
    two.ensure_speaker("anna")
    assert artefact_tidy.drop_deleted(two) == artefact_tidy.drop_deleted(one) == []
    assert not [key for key in listing(one) if key.startswith("deleted/")]


def test_damaged_files_of_a_speaker_are_not_shared(url: str, tmp_path: Path) -> None:
    [one] = machines(url, tmp_path, 1)
    make_speaker(one.home)
    (speakers.speaker_folder(one.home, "anna") / "face" / "mouths.safetensors").write_bytes(b"other")
    assert code_of(one.push_speaker, "anna") == "speaker_damaged"
    assert listing(one) == []


# Takes and results


def test_a_take_arrives_and_its_timeline_names_the_clip_where_it_is_now(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    take = make_take(one.home)
    one.push_take(take.id)
    folder = two.ensure_take(take.id)
    stored = takes.load(two.home, take.id).take
    assert Path(stored.files.clip).read_bytes() == b"c" * 10_000
    assert json.loads(Path(stored.files.timeline).read_text()) == {"target_url": (folder / "take.mp4").as_posix(), "other": "/elsewhere/a.mp4"}
    assert two.known_takes() == [take.id]
    assert code_of(two.ensure_take, "0" * 16) == "unknown_take"


def test_two_machines_may_push_the_same_take_at_once(url: str, tmp_path: Path) -> None:
    one, two, three = machines(url, tmp_path, 3)
    identifiers = {make_take(machine.home).id for machine in (one, two)}
    problems: list[RetakeError] = []

    def push(machine: Artefacts) -> None:
        try:
            machine.push_take(*identifiers)
        except RetakeError as error:
            problems.append(error)

    threads = [threading.Thread(target=push, args=(machine,)) for machine in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert problems == []
    three.ensure_take(*identifiers)


def test_results_of_a_job(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    folder = one.home / "results" / "job1"
    folder.mkdir(parents=True)
    clip = folder / "001-Grüße & mehr.mp4"
    clip.write_bytes(b"clip")
    (folder / "script.otio").write_text(json.dumps({"target_url": clip.as_posix(), "take": str(one.home / "takes" / "x" / "take.mp4")}))
    one.push_results("job1")
    one.push_results("another")  # which has none
    there = two.ensure_results("job1")
    assert (there / clip.name).read_bytes() == b"clip"
    expected = {"target_url": (there / clip.name).as_posix(), "take": (two.home / "takes" / "x" / "take.mp4").as_posix()}
    assert json.loads((there / "script.otio").read_text()) == expected
    result = JobResult(takes=["a"], timeline=str(folder / "script.otio"), files=[str(clip), "/mnt/project/out.mp4"])
    local = two.local_result(result, "job1")
    assert local == JobResult(takes=["a"], timeline=str(there / "script.otio"), files=[str(there / clip.name), "/mnt/project/out.mp4"])
    assert code_of(two.ensure_results, "another") == "no_results"
    one.delete_results("job1")
    assert listing(one) == []


@pytest.mark.parametrize("job", ["../speakers", "", ".", "a/b", "a" * 65])
def test_results_of_what_is_no_job(job: str, shared: Path, tmp_path: Path) -> None:
    [one] = machines(str(shared), tmp_path, 1)
    assert code_of(one.ensure_results, job) == code_of(one.push_results, job) == code_of(one.delete_results, job) == "unknown_job"


# Inputs and specs


def test_inputs_are_kept_by_content(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    for name in ("a.WAV", "b.wav"):
        (tmp_path / name).write_bytes(b"sound")
    reference = one.push_input(tmp_path / "a.WAV")
    assert reference.startswith("artefact:") and reference.endswith(".wav")
    assert one.push_input(tmp_path / "b.wav") == reference
    assert two.ensure_input(reference).read_bytes() == b"sound"
    assert len(listing(one)) == 1
    assert two.ensure_input("/mnt/a.wav") == Path("/mnt/a.wav")
    assert code_of(one.push_input, tmp_path / "missing.wav") == code_of(two.ensure_input, f"artefact:{'0' * 64}.wav") == "no_file"


@pytest.mark.parametrize("reference", ["artefact:", "artefact:../../etc/passwd", f"artefact:{'0' * 64}/../x", f"artefact:{'0' * 64}.a/b"])
def test_references_that_nobody_made(reference: str, shared: Path, tmp_path: Path) -> None:
    [one] = machines(str(shared), tmp_path, 1)
    assert code_of(one.ensure_input, reference) == "artefacts_unknown"


def test_every_kind_of_job_is_rewritten_and_back(url: str, tmp_path: Path) -> None:
    one, two = machines(url, tmp_path)
    path = tmp_path / "file.mp4"
    path.write_bytes(b"content")
    spoken, recorded = TakeRequest(speaker="anna", text="Hi."), TakeRequest(speaker="anna", audio=str(path))
    specs = [
        EnrolSpec(reference=str(path), name="anna", consent="Yes."),
        LineSpec(request=spoken, output="/mnt/out.mp4"),
        LineSpec(request=recorded),
        ScriptSpec(requests=[spoken, recorded], output_folder="/mnt/out"),
        TimelineSpec(timeline=str(path), output="/mnt/out.otio"),
    ]
    for spec in specs:
        shared = one.share(spec)
        assert str(tmp_path) not in shared.model_dump_json()
        assert one.share(shared) == shared
        local = two.localise(shared)
        assert local.model_dump_json().replace(str(two.ensure_input(one.push_input(path))), str(path)) == spec.model_dump_json()
        assert two.localise(local) == local


def test_without_a_shared_place_nothing_happens(tmp_path: Path) -> None:
    one = Artefacts("", tmp_path)
    take = make_take(tmp_path)
    make_speaker(tmp_path)
    spec = TimelineSpec(timeline="/a/b.otio")
    assert not one.shared and one.place == ""
    one.check()
    one.push_speaker("anna")
    one.push_take(take.id)
    one.push_results("job")
    one.delete_take(take.id)
    one.delete_speaker("anna")
    one.delete_results("job")
    assert one.ensure_speaker("anna") == speakers.speaker_folder(tmp_path, "anna")
    assert one.ensure_take(take.id) == takes.take_folder(tmp_path, take.id)
    assert one.share(spec) == one.localise(spec) == spec
    assert one.push_input(Path("/a/b")) == "/a/b"
    assert (one.known_takes(), artefact_tidy.drop_deleted(one), artefact_tidy.sweep(one, inputs_days=1, named="")) == ([], [], [])
    assert code_of(one.ensure_speaker, "bert") == "unknown_speaker"
    assert code_of(one.ensure_take, "0" * 16) == "unknown_take"
    assert code_of(one.ensure_input, f"artefact:{'0' * 64}") == "artefacts_unknown"


# Interruptions

KILLED = """
import os, sys
from pathlib import Path
from retake.jobs.artefact_store import FolderStore
from retake.jobs.artefacts import Artefacts
before, left = FolderStore.put, [int(sys.argv[4])]
def put(self, key, path):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    before(self, key, path)
FolderStore.put = put
getattr(Artefacts(sys.argv[1], Path(sys.argv[2])), sys.argv[3])(sys.argv[5])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
@pytest.mark.parametrize(("method", "files"), [("push_speaker", 1), ("push_speaker", 3), ("push_take", 2)])
def test_a_push_that_is_killed_is_not_seen(shared: Path, tmp_path: Path, method: str, files: int) -> None:
    one, two = machines(str(shared), tmp_path)
    make_speaker(one.home)
    take = make_take(one.home)
    name = "anna" if method == "push_speaker" else take.id
    done = subprocess.run([sys.executable, "-c", KILLED, str(shared), str(one.home), method, str(files), name], timeout=600, check=False)
    assert done.returncode == -9
    ensure = two.ensure_speaker if method == "push_speaker" else two.ensure_take
    assert code_of(ensure, name) == ("unknown_speaker" if method == "push_speaker" else "unknown_take")
    getattr(one, method)(name)
    ensure(name)


def test_a_push_that_fails_is_not_seen_and_what_it_left_is_removed_in_time(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    assert one.transfer is not None
    kind = type(one.transfer.store)
    put, calls = kind.put, []

    def full(self: Any, key: str, path: Path) -> None:
        calls.append(key)
        if len(calls) > 2:
            raise RetakeError("There is no space left.", "Free some.", kind=ErrorKind.ENVIRONMENT, code="disk_full")
        put(self, key, path)

    monkeypatch.setattr(kind, "put", full)
    assert code_of(one.push_speaker, "anna") == "disk_full"
    monkeypatch.setattr(kind, "put", put)
    assert code_of(two.ensure_speaker, "anna") == "unknown_speaker"
    assert len(listing(one)) == 2
    assert artefact_tidy.sweep(one, inputs_days=0, named="") == []
    monkeypatch.setattr(artefact_tidy, "STRAY_DAYS", -1.0)
    one.push_speaker("anna")
    assert len(artefact_tidy.sweep(one, inputs_days=0, named="", dry_run=True)) == 1
    assert len(artefact_tidy.sweep(one, inputs_days=0, named="")) == 1
    assert len(listing(one)) == 5
    two.ensure_speaker("anna")


def test_a_store_that_does_not_answer_at_once_is_asked_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home)
    assert one.transfer is not None
    kind = type(one.transfer.store)
    failures = {"put": 2, "write": 1, "read": 2, "pieces": 1}
    for name in tuple(failures):
        before = getattr(kind, name)

        def flaky(self: Any, *arguments: Any, name: str = name, before: Any = before) -> Any:
            failures[name] -= 1
            if failures[name] >= 0:
                raise RetakeError("No answer.", "", kind=ErrorKind.ENVIRONMENT, code=artefact_store.UNREACHABLE)
            return before(self, *arguments)

        monkeypatch.setattr(kind, name, flaky)
    one.push_speaker("anna")
    two.ensure_speaker("anna")
    assert all(left < 0 for left in failures.values())


def test_a_speaker_that_is_replaced_while_it_is_fetched(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = machines(url, tmp_path)
    make_speaker(one.home, content=b"first")
    one.push_speaker("anna")
    assert two.transfer is not None
    kind = type(two.transfer.store)
    pieces, done = kind.pieces, []

    def replaced(self: Any, key: str) -> Iterator[bytes]:
        if not done:
            done.append(make_speaker(one.home, content=b"second"))
            one.push_speaker("anna")
        return pieces(self, key)

    monkeypatch.setattr(kind, "pieces", replaced)
    two.ensure_speaker("anna")
    assert speakers.load(two.home, "anna") == done[0]


# Hostile places


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "remove", "link"])
def test_what_is_not_what_was_shared_is_refused(shared: Path, tmp_path: Path, damage: str) -> None:
    one, two = machines(str(shared), tmp_path)
    make_speaker(one.home)
    one.push_speaker("anna")
    path = the_file(shared, "speakers/anna/*/reference.mp4")
    data = path.read_bytes()
    if damage == "flip":
        path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    elif damage in {"cut", "grow"}:
        path.write_bytes(data[:-1] if damage == "cut" else data + b"x" * 10)
    else:
        path.unlink()
        if damage == "link":
            path.symlink_to(speakers.speaker_folder(one.home, "anna") / "reference.mp4")
    assert code_of(two.ensure_speaker, "anna") == "bad_artefact"
    assert speakers.names(two.home) == []
    assert [entry.name for entry in (two.home / "speakers").iterdir()] == []


OUTSIDE = ["../evil", "/etc/passwd", "a/../../b", "a//b", "", ".", "..", ".hidden", "a/.b", "C:evil", "a\\b", "a/b/c/d/e/f/g"]
UNWRITABLE = ["nul", "aux.txt", "a\nb", "x.", "x ", "a" * 600]  # somewhere


@pytest.mark.parametrize("name", OUTSIDE + UNWRITABLE)
def test_names_are_confined(shared: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        check_name(name)
    one, two = machines(str(shared), tmp_path)
    take = make_take(one.home)
    one.push_take(take.id)
    path = shared / "takes" / take.id / "manifest.json"
    content = json.loads(path.read_text())
    content["entries"][0]["name"] = name
    path.write_text(json.dumps(content))
    assert code_of(two.ensure_take, take.id) == "bad_artefact"
    assert takes.history(two.home) == []


@pytest.mark.parametrize(
    "change",
    [{"version": "../../other"}, {"entries": "many"}, {"format": 1, "more": 1}, {"entries": [{"name": "a", "size": -1, "sha256": "0" * 64}]}],
)
def test_lists_that_are_none(shared: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    one, two = machines(str(shared), tmp_path)
    make_speaker(one.home)
    one.push_speaker("anna")
    path = shared / "speakers" / "anna" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert code_of(two.ensure_speaker, "anna") == "bad_artefact"
    path.write_bytes(b"\xff\xfe")
    assert code_of(two.ensure_speaker, "anna") == "bad_artefact"


def test_a_list_that_names_one_file_twice() -> None:
    entry = {"name": "a", "size": 0, "sha256": "0" * 64}
    with pytest.raises(ValueError, match="twice"):
        Manifest.model_validate({"version": "20260101T000000-00000000", "created_at": OLD, "entries": [entry, {**entry, "name": "A"}]})


def test_a_record_cannot_point_at_files_of_this_machine(shared: Path, tmp_path: Path) -> None:
    one, two = machines(str(shared), tmp_path)
    take = make_take(one.home)
    record = takes.take_folder(one.home, take.id) / takes.RECORD
    record.write_text(record.read_text().replace('"take.mp4"', '"/etc/hostname"'))
    one.push_take(take.id)
    assert code_of(two.ensure_take, take.id) == "bad_artefact"
    assert takes.history(two.home) == []


def test_a_speaker_under_another_name_is_refused(shared: Path, tmp_path: Path) -> None:
    one, two = machines(str(shared), tmp_path)
    make_speaker(one.home)
    one.push_speaker("anna")
    (shared / "speakers" / "anna").rename(shared / "speakers" / "bert")
    assert code_of(two.ensure_speaker, "bert") == "bad_artefact"


def test_documents_cannot_lead_out_of_the_home_folder(shared: Path, tmp_path: Path) -> None:
    one, two = machines(str(shared), tmp_path)
    folder = one.home / "results" / "job1"
    folder.mkdir(parents=True)
    (folder / "a.otio").write_text('{"target_url": "retake-home:/../../etc/passwd"}')
    one.push_results("job1")
    assert json.loads((two.ensure_results("job1") / "a.otio").read_text()) == {"target_url": ""}


# Places


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("relative/folder", "bad_artefacts"),
        ("simplecache::s3://bucket", "bad_artefacts"),
        ("nosuch://bucket/x", "artefacts_unsupported"),
    ],
)
def test_places_that_cannot_be_used(place: str, code: str, tmp_path: Path) -> None:
    assert code_of(Artefacts, place, tmp_path) == code


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    try:
        import s3fs  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(RetakeError, match="s3fs"):
            Artefacts("s3://bucket/retake", tmp_path)


def test_a_share_that_is_not_mounted_is_noticed(tmp_path: Path) -> None:
    [one] = machines(str(tmp_path / "not mounted"), tmp_path, 1)
    make_speaker(one.home)
    with pytest.raises(RetakeError, match="does not exist") as caught:
        one.push_speaker("anna")
    assert caught.value.kind is ErrorKind.ENVIRONMENT
    assert not (tmp_path / "not mounted").exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_place_that_may_not_be_written(shared: Path, tmp_path: Path) -> None:
    shared.chmod(0o500)
    assert code_of(Artefacts(str(shared), tmp_path).check) in {"artefacts_denied", "not_writable"}


def test_the_check_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    [one] = machines(url, tmp_path, 1)
    one.check()
    assert listing(one) == []


def test_credentials_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = "memory://anna:s%65cret@host/retake?token=t0ken"
    assert hidden(url) == "memory://host/retake"
    assert hidden("/mnt/share") == "/mnt/share"
    one = Artefacts(url, tmp_path)
    store = open_store(url)

    def fails(*arguments: Any, **options: Any) -> None:
        raise RuntimeError(f"could not log in to {url} as anna with secret or s%65cret, token=t0ken")

    monkeypatch.setattr(type(store._fs), "_open", fails)  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(type(store._fs), "open", fails)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(RetakeError) as caught:
        one.ensure_take("0" * 16)
    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__} {caplog.text} {one.place}"
    assert "secret" not in shown and "s%65cret" not in shown and "t0ken" not in shown
    assert caught.value.__suppress_context__


# Tidying


def test_inputs_go_when_nobody_needs_them(shared: Path, tmp_path: Path) -> None:
    [one] = machines(str(shared), tmp_path, 1)
    references = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(bytes([number]))
        references.append(one.push_input(path))
    for reference in references[:2]:
        stored = shared / "inputs" / reference.removeprefix("artefact:")
        os.utime(stored, (stored.stat().st_mtime - 3 * 86400,) * 2)
    assert artefact_tidy.sweep(one, inputs_days=0, named="") == []
    gone = artefact_tidy.sweep(one, inputs_days=2, named=f"[{references[0]}]")
    assert gone == [f"inputs/{references[1].removeprefix('artefact:')}"]
    assert len(listing(one)) == 2
    one.push_input(tmp_path / "0.wav")  # an old one that is pushed again is young again
    assert artefact_tidy.sweep(one, inputs_days=2, named="") == []


def test_takes_that_were_never_fetched_go_too(shared: Path, tmp_path: Path) -> None:
    serving, worker = machines(str(shared), tmp_path)
    mine, theirs = make_take(serving.home, "Mine."), make_take(worker.home, "Theirs.")
    serving.push_take(mine.id)
    worker.push_take(theirs.id)
    for take in (mine, theirs):
        path = shared / "takes" / take.id / "manifest.json"
        then = path.stat().st_mtime - 10 * 86400
        os.utime(path, (then, then))
    (shared / "takes" / "no take").mkdir()
    assert artefact_tidy.sweep(serving, inputs_days=0, named="", takes_days=20) == []
    assert artefact_tidy.sweep(serving, inputs_days=0, named="", takes_days=7) == [f"takes/{theirs.id}"]
    assert artefact_tidy.drop_deleted(worker) == [f"takes/{theirs.id}"]
    assert serving.known_takes() == [mine.id, "no take"]
