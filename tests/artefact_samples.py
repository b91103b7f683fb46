"""Small speakers and takes as they lie in a home folder, for tests of what several machines share: real records, short files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from retake.domain.speaker import Consent, Speaker
from retake.domain.take import Take, TakeRequest
from retake.jobs.artefact_manifest import speaker_fingerprint
from retake.jobs.artefact_transfer import entry_of
from retake.jobs.artefacts import Artefacts
from retake.media.files import sha256
from retake.speakers import store as speakers
from retake.takes import store as takes
from retake.takes.finish import files_in


def make_speaker(home: Path, name: str = "anna", content: bytes = b"picture", *, created_at: datetime | None = None) -> Speaker:
    """Store a speaker; `content` tells two enrolments apart."""
    now = created_at or datetime.now(UTC)
    with speakers.building(home, name, replace=True) as folder:
        (folder / "reference.mp4").write_bytes(content * 1000)
        (folder / "face").mkdir()
        (folder / "face" / "mouths.safetensors").write_bytes(b"mouths of " + content)
        (folder / "report.html").write_text("<p>fine</p>")
        learnt = ("reference.mp4", "face/mouths.safetensors")
        speaker = Speaker(
            name=name,
            consent=Consent(statement="I agree.", recorded_by="test", recorded_at=now, reference_sha256=sha256(folder / "reference.mp4")),
            created_at=now,
            product_version="0",
            transcript="",
            transcript_source="none",
            rate="25",
            frames=1,
            width=64,
            height=64,
            seconds=1.0,
            voice_engine="embedded 1",
            voice_similarity=None,
            loudness_lufs=None,
            lag_seconds=0.0,
            lag_confidence=0.0,
            fingerprint=speaker_fingerprint(tuple(entry_of(file, folder / file) for file in learnt)),
        )
        speakers.save(folder, speaker)
    return speaker


def make_take(home: Path, text: str = "Hello.", *, size: int = 10_000, created_at: datetime | None = None) -> Take:
    """Store a take of the speaker anna."""
    request = TakeRequest(speaker="anna", text=text, line_id="1")
    key = takes.request_key(request, {})
    final = files_in(takes.take_folder(home, takes.take_id(key)))
    with takes.building(home, key) as folder:
        files = files_in(folder)
        Path(files.clip).write_bytes(b"c" * size)
        Path(files.timeline).write_text(f'{{"target_url": "{Path(final.clip).as_posix()}", "other": "/elsewhere/a.mp4"}}')
        for path in (files.captions, files.report, files.poster):
            Path(path).write_text("{}")
        take = Take(id=takes.take_id(key), request=request, files=final, frames=1, rate="25", width=64, height=64, sha256=sha256(files.clip))
        takes.save(folder, take, key, home=home, created_at=created_at)
    return take


def listing(artefacts: Artefacts, folder: str = "") -> list[str]:
    """All keys of the shared place below `folder`."""
    assert artefacts.transfer is not None
    store = artefacts.transfer.store
    out: list[str] = []
    for name in store.names(folder) if folder else ("checks", "deleted", "inputs", "results", "speakers", "takes"):
        key = f"{folder}/{name}" if folder else name
        out += [key] if store.size(key) is not None else listing(artefacts, key)
    return sorted(out)
