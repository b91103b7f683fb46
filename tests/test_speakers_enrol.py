"""An enrolment that is interrupted and goes on: nothing is done twice, and the speaker is the same as without interruption."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

import retake
import retake.speakers.enrol
from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.speakers import store
from retake.speakers.enrol import EnrolResult, enrol
from retake.speakers.stages import Nothing, Stages
from retake.speech.adapt import Settings as Training

PRESENTER = Path(retake.__file__).parent / "assets" / "presenter"
STAGES = ["Reading the reference", "Finding the face", "Listening to the words", "Learning the voice", "Learning the mouth", "Learning the movement",
          "Checking the result"]  # fmt: skip
SECONDS = 6.0


class Heard(Progress):
    """Notes the stages, and stops when the one named `until` begins."""

    def __init__(self, until: str = "") -> None:
        self.stages: list[str] = []
        self._until = until
        super().__init__()

    def stage(self, name: str) -> None:
        self.stages.append(name)
        if name == self._until:
            self.cancel()
        super().stage(name)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn the voice in a few steps: what is tested is not how well."""
    monkeypatch.setattr(retake.speakers.enrol, "learn_voice", partial(retake.speakers.enrol.learn_voice, settings=Training(steps=2)))


def learn(home: Path, work: Path | None, progress: Progress, *, transcript: str | None = None, replace: bool = False) -> EnrolResult:
    return enrol(
        PRESENTER / "presenter.mp4",
        name="anna",
        transcript=transcript,
        consent="Synthetic presenter, nobody's likeness.",
        home=home,
        progress=progress,
        max_seconds=SECONDS,
        work=work,
        replace=replace,
    )


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_interrupted_enrolment_goes_on_behind_its_last_finished_stage(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    for number, stage in enumerate(STAGES[2:], 2):
        heard = Heard(until=stage)
        with pytest.raises(Cancelled):
            learn(home, work, heard)
        # Reading and finding the face are one stage; every other one is not done again.
        begun = 0 if number == 2 else number - 1
        assert heard.stages == STAGES[begun : number + 1]
        assert not store.exists(home, "anna")
        assert not list((home / "speakers").iterdir())
    heard = Heard()
    done = learn(home, work, heard)
    assert heard.stages == STAGES[-1:]
    assert files(work) == ["enrolled.json"]

    plain = learn(tmp_path / "other", None, Heard())
    assert done.speaker.fingerprint == plain.speaker.fingerprint
    assert files(home / "speakers" / "anna") == files(tmp_path / "other" / "speakers" / "anna")
    same = {"consent", "created_at"}
    assert done.speaker.model_dump(exclude=same) == plain.speaker.model_dump(exclude=same)
    assert done.lines == plain.lines

    # Who was killed before it could tell learns that all is done; without the note, a speaker of that name is refused as ever.
    heard = Heard()
    assert learn(home, work, heard) == done
    assert heard.stages == []
    with pytest.raises(RetakeError, match="speaker 'anna' already"):
        learn(home, tmp_path / "new work", Heard())


def test_another_request_begins_anew(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    with pytest.raises(Cancelled):
        learn(home, work, Heard(until="Listening to the words"))
    assert files(work) == [
        "key.txt",
        "stage-read/reference.mp4",
        "stage-read/reference.wav",
        "stage-read/result.json",
        "stage-read/track.safetensors",
    ]
    heard = Heard(until="Finding the face")
    with pytest.raises(Cancelled):
        learn(home, work, heard, transcript=(PRESENTER / "presenter.txt").read_text("utf-8")[:80])
    assert heard.stages == STAGES[:2]
    assert files(work) == ["key.txt"]


class Made:
    """A stage that writes a file into the folder and counts how often it was made."""

    def __init__(self, folder: Path, name: str) -> None:
        self.file = folder / name
        self.times = 0

    def __call__(self) -> Nothing:
        self.times += 1
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)  # as all writers of speakers' files do: they replace
        self.file.write_text(f"made by {self.file.name} {self.times}", encoding="utf-8")
        return Nothing()


def run(work: Path, folder: Path, key: str = "key", upto: int = 3) -> tuple[Stages, list[int]]:
    folder.mkdir(parents=True)
    kept = Stages(work, key)
    made = [Made(folder, "sound.wav"), Made(folder, "sound.wav"), Made(folder, "face/mouths")]
    for number, (stage, files_) in enumerate([("read", "sound.wav"), ("words", "sound.wav"), ("mouth", "face")][:upto]):
        kept.do(stage, folder, (files_,), Nothing, made[number])
    return kept, [stage.times for stage in made]


def test_stages_are_taken_up_in_their_order(tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert run(work, tmp_path / "1", upto=2)[1] == [1, 1, 0]
    kept, times = run(work, tmp_path / "2")
    assert times == [0, 0, 1]
    assert (tmp_path / "2" / "sound.wav").read_text("utf-8") == "made by sound.wav 1"
    (work / "stage-words" / "sound.wav").unlink()  # damaged: that stage and all behind it are made again
    assert run(work, tmp_path / "3")[1] == [0, 1, 1]
    (work / "stage-read" / "result.json").write_text("{", encoding="utf-8")
    assert run(work, tmp_path / "4")[1] == [1, 1, 1]
    assert run(work, tmp_path / "5", key="another")[1] == [1, 1, 1]
    (work / "mine.txt").touch()
    kept.clear()
    assert files(work) == ["mine.txt"]
    assert files(tmp_path / "5") == ["face/mouths", "sound.wav"]  # they were the same files, and stay


def test_what_is_half_kept_does_not_count(tmp_path: Path) -> None:
    work = tmp_path / "work"
    run(work, tmp_path / "1", upto=1)
    (work / "stage-read").rename(work / ".building-stage-read-0")
    assert run(work, tmp_path / "2")[1] == [1, 1, 1]
