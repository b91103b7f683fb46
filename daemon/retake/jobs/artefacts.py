"""Speakers, takes, inputs and results that several machines share (docs/scale-out.md).

    speakers/NAME/manifest.json + speakers/NAME/VERSION/...     likewise takes/ID and results/JOB
    deleted/speakers/NAME.json                                  so that copies elsewhere go too; likewise takes
    inputs/SHA256.ext                                           references, recordings and timelines by their content

Whoever makes something pushes it: the files into a new folder first, their manifest last, so that an interrupted push is not seen by anybody. Whoever
needs something fetches it into a folder beside its place, checks every size and hash, and renames it. Without a shared place all this does nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, JobResult, JobSpec, LineSpec, ScriptSpec, TimelineSpec
from retake.domain.speaker import Speaker, check_name
from retake.domain.take import TakeRequest
from retake.jobs import artefact_manifest as manifests
from retake.jobs.artefact_manifest import Entry, Manifest
from retake.jobs.artefact_store import hidden, open_store, patiently
from retake.jobs.artefact_transfer import Transfer, check_listed, entry_of
from retake.media.files import atomic, check_space, explain_os_error, sha256
from retake.media.folders import new_folder
from retake.speakers import store as speakers
from retake.takes import store as takes

REFERENCE = "artefact:"
_REFERENCE = re.compile(r"artefact:(?P<sha>[0-9a-f]{64})(?P<suffix>\.[a-z0-9]{1,8})?")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_JOB = re.compile(r"[0-9A-Za-z-]{1,64}")
# Fingerprints of earlier speakers of a name that are remembered, to tell an old copy from a new one.
_EARLIER = 50
# An input that is there for longer is written again: its age says when it was needed last, and decides when it is removed.
_FRESH_SECONDS = 6 * 3600.0


class Artefacts:
    """The shared artefacts, seen from the machine with the home folder `home`. Safe for threads and processes.

    Args:
        url: a folder's absolute path or an fsspec address; empty: nothing is shared, and every method answers with what lies in `home`.

    All methods raise RetakeError: artefacts_unreachable, artefacts_denied, bad_artefact (what is there is not what was pushed), disk_full.
    """

    def __init__(self, url: str, home: Path) -> None:
        self.home = home
        self._url = url.strip()
        self.transfer = Transfer(open_store(self._url), home) if self._url else None

    @property
    def shared(self) -> bool:
        """Whether there is a shared place at all."""
        return self.transfer is not None

    @property
    def place(self) -> str:
        """The shared place for messages: without credentials."""
        return hidden(self._url)

    def check(self) -> None:
        """Write, read and remove a small file, to find out before there is work."""
        if self.transfer is None:
            return
        store, key, content = self.transfer.store, f"checks/{manifests.new_version()}", b"retake"
        store.write(key, content)
        found = store.read(key, 100)
        store.remove(key)
        if found != content:
            raise manifests.damaged(f"a test file at {self.place}", "it was not read as it was written")

    # Speakers

    def push_speaker(self, name: str) -> None:
        """Share the speaker as it is here; the one of that name that was shared before is replaced."""
        if self.transfer is None:
            return
        speaker, thing = speakers.load(self.home, name), f"speakers/{name}"
        folder = speakers.speaker_folder(self.home, name)
        entries = tuple(entry_of(file, path) for file, path in manifests.files_in(folder))
        if manifests.speaker_fingerprint(entries) != speaker.fingerprint:
            raise RetakeError(
                f"The files of speaker '{name}' are not those that were learnt.",
                "Enrol the speaker again with --replace.",
                kind=ErrorKind.ENVIRONMENT,
                code="speaker_damaged",
            )
        before, gone = self.transfer.manifest(thing), self.transfer.tombstone(thing)
        earlier = (*(gone.fingerprints if gone else ()), *((*before.earlier, before.fingerprint) if before else ()))
        known = tuple(one for one in dict.fromkeys(earlier) if one != speaker.fingerprint)[-_EARLIER:]
        self.transfer.push(thing, folder, created_at=speaker.created_at, fingerprint=speaker.fingerprint, earlier=known)

    def ensure_speaker(self, name: str) -> Path:
        """Folder of the speaker as it is shared: fetched if it is missing here or another one. Raises RetakeError (unknown_speaker).

        One that was deleted elsewhere is deleted here. One that is newer here than what is shared, or was never shared, is shared now.
        """
        if self.transfer is None:
            return speakers.require(self.home, name)
        check_name(name)
        with self._lock(f"speaker-{name}"):
            shared = self.transfer.manifest(f"speakers/{name}")
            if shared is None:
                self.drop_speaker(name)
            local = self._local_speaker(name)
            if shared is None or (local is not None and local.fingerprint not in shared.earlier and local.created_at > shared.created_at):
                speakers.require(self.home, name)
                self.push_speaker(name)
            elif local is None or not self._is_shared(local, shared):
                self._fetch_speaker(self.transfer, name)
        return speakers.require(self.home, name)

    def delete_speaker(self, name: str) -> None:
        """Take the speaker away from all machines: at once from the shared place, with the reference as it came, and from others when they look.

        What lies in this home folder is left to `speakers.store.delete`, to be called afterwards.
        """
        if self.transfer is None:
            return
        check_name(name)
        shared, local = self.transfer.manifest(f"speakers/{name}"), self._local_speaker(name)
        known = ((*shared.earlier, shared.fingerprint) if shared else ()) + ((local.fingerprint,) if local else ())
        self.transfer.bury(f"speakers/{name}", tuple(dict.fromkeys(known))[-_EARLIER:])
        if local is not None:
            self._delete_inputs(local.consent.reference_sha256)

    def drop_speaker(self, name: str) -> bool:
        """Delete this machine's copy of a speaker if it was deleted elsewhere; True if it was."""
        thing = f"speakers/{name}"
        gone = None if self.transfer is None or self.transfer.manifest(thing) else self.transfer.tombstone(thing)
        local = None if gone is None else self._local_speaker(name)
        if gone is None or local is None or (local.fingerprint not in gone.fingerprints and local.created_at > gone.deleted_at):
            return False
        speakers.delete(self.home, name)
        self._delete_inputs(local.consent.reference_sha256)
        return True

    def known_speakers(self) -> list[str]:
        """Names of the speakers that are shared; empty without a shared place."""
        transfer = self.transfer
        return [] if transfer is None else [name for name in patiently(lambda: transfer.store.names("speakers")) if speakers.NAME.fullmatch(name)]

    # Takes and results

    def push_take(self, identifier: str) -> None:
        """Share a take of this home folder. Where two machines have made the same take, the first one's stays."""
        if self.transfer is None:
            return
        stored = takes.load(self.home, identifier)
        if self.transfer.manifest(f"takes/{identifier}") is None:
            folder = takes.take_folder(self.home, identifier)
            self.transfer.push(f"takes/{identifier}", folder, created_at=stored.created_at, documents=True)

    def ensure_take(self, identifier: str) -> Path:
        """Folder of a take, fetched if it is not here. Raises RetakeError (unknown_take)."""
        folder = takes.take_folder(self.home, identifier)
        if self.transfer is not None and not (folder / takes.RECORD).is_file():
            with self._lock(f"take-{identifier}"):
                self._fetch(self.transfer, f"takes/{identifier}", folder, (folder / takes.RECORD).is_file, _check_take)
        takes.load(self.home, identifier)
        return folder

    def delete_take(self, identifier: str) -> None:
        """Take a take away from all machines; the copy in this home folder is left to `takes.store.delete`."""
        takes.take_folder(self.home, identifier)
        if self.transfer is not None:
            self.transfer.bury(f"takes/{identifier}", ())

    def known_takes(self) -> list[str]:
        """Ids of the takes that are shared; empty without a shared place."""
        transfer = self.transfer
        return [] if transfer is None else patiently(lambda: transfer.store.names("takes"))

    def push_results(self, job_id: str) -> None:
        """Share the folder of results of a job, if it has one."""
        folder = self._results(job_id)
        if self.transfer is not None and folder.is_dir():
            self.transfer.push(f"results/{job_id}", folder, created_at=datetime.now(UTC), documents=True)

    def ensure_results(self, job_id: str) -> Path:
        """Folder of a job's results, fetched if it is not here. Raises RetakeError (no_results)."""
        folder = self._results(job_id)
        if self.transfer is not None and not folder.is_dir():
            with self._lock(f"results-{job_id}"):
                self._fetch(self.transfer, f"results/{job_id}", folder, folder.is_dir, _check_nothing)
        if not folder.is_dir():
            raise RetakeError(
                "The job has no folder of results.", "They may have been removed with time.", kind=ErrorKind.NOT_FOUND, code="no_results"
            )
        return folder

    def delete_results(self, job_id: str) -> None:
        """Remove a job's results from the shared place."""
        self._results(job_id)
        if self.transfer is not None:
            self.transfer.store.remove(f"results/{job_id}")

    def local_result(self, result: JobResult, job_id: str) -> JobResult:
        """What a job made, with the paths of its own results as they are on this machine (once `ensure_results` was called)."""
        if self.transfer is None:
            return result
        own = self._results(job_id)

        def here(path: str) -> str:
            _, found, rest = path.replace("\\", "/").rpartition(f"/results/{job_id}/")
            return str(own.joinpath(*rest.split("/"))) if found and ".." not in rest.split("/") else path

        timeline = None if result.timeline is None else here(result.timeline)
        return result.model_copy(update={"timeline": timeline, "files": [here(path) for path in result.files]})

    # Inputs

    def push_input(self, path: Path) -> str:
        """Share a file that a job needs; returns the name to give to `ensure_input` ("artefact:SHA256.mp4"), or the path where nothing is shared.

        Raises RetakeError (no_file).
        """
        if self.transfer is None:
            return str(path)
        try:
            size, digest = path.stat().st_size, sha256(path)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise RetakeError(f"There is no file {path}.", "Check the path.", kind=ErrorKind.NOT_FOUND, code="no_file") from error
        except OSError as error:
            raise explain_os_error(error, path) from error
        suffix = path.suffix.lower() if _SUFFIX.fullmatch(path.suffix.lower()) else ""
        store, key = self.transfer.store, f"inputs/{digest}{suffix}"
        age = patiently(lambda: store.age(key)) if patiently(lambda: store.size(key)) == size else None
        if age is None or age > _FRESH_SECONDS:
            patiently(lambda: store.put(key, path))
        return f"{REFERENCE}{digest}{suffix}"

    def ensure_input(self, reference: str) -> Path:
        """The file that `push_input` named, fetched if it is not here; a plain path is returned as it is. Raises RetakeError (no_file)."""
        if not reference.startswith(REFERENCE):
            return Path(reference)
        match, transfer = _REFERENCE.fullmatch(reference), self.transfer
        if match is None or transfer is None:
            raise RetakeError(
                "The job's files lie in a place that this machine does not know.",
                "Set 'artefacts' to the place that the other machines use.",
                kind=ErrorKind.ENVIRONMENT,
                code="artefacts_unknown",
            )
        name = reference.removeprefix(REFERENCE)
        target = self.home / "inputs" / name
        with self._lock(f"input-{match['sha']}"):
            if target.is_file():
                os.utime(target)  # says when it was needed last
                return target
            size = patiently(lambda: transfer.store.size(f"inputs/{name}"))
            if size is None:
                raise RetakeError("A file of the job is not there any more.", "Submit the job again.", kind=ErrorKind.NOT_FOUND, code="no_file")
            target.parent.mkdir(parents=True, exist_ok=True)
            check_space(target.parent, size)
            with atomic(target) as part:
                transfer.download(f"inputs/{name}", part, Entry(name=name, size=size, sha256=match["sha"]), "a job's file")
        return target

    def share(self, spec: JobSpec) -> JobSpec:
        """The job as any machine can do it: called by whoever submits it. Its files are shared and named by content, and so are its speakers."""
        if self.transfer is None:
            return spec
        for name in self._speakers_of(spec):
            if speakers.exists(self.home, name):
                self.ensure_speaker(name)
        return _with_files(spec, self._shared_path)

    def localise(self, spec: JobSpec) -> JobSpec:
        """The job with paths of this machine: inverse of `share`, called by whoever does it."""
        return _with_files(spec, self._local_path)

    # Within

    def _shared_path(self, path: str) -> str:
        return path if path.startswith(REFERENCE) else self.push_input(Path(path))

    def _local_path(self, path: str) -> str:
        return str(self.ensure_input(path))

    def _speakers_of(self, spec: JobSpec) -> set[str]:
        match spec:
            case LineSpec():
                return {spec.request.speaker}
            case ScriptSpec():
                return {request.speaker for request in spec.requests}
            case TimelineSpec():
                return {*speakers.names(self.home)}  # its placeholders may name any of them
            case EnrolSpec():
                return set()

    def _local_speaker(self, name: str) -> Speaker | None:
        try:
            return speakers.load(self.home, name) if speakers.exists(self.home, name) else None
        except RetakeError:
            return None  # damaged: fetched again

    def _is_shared(self, local: Speaker, shared: Manifest) -> bool:
        """Whether this machine's copy is what is shared, the record (with its consent) included."""
        record = speakers.speaker_folder(self.home, local.name) / speakers.RECORD
        return local.fingerprint == shared.fingerprint and sha256(record) == shared.hash_of(speakers.RECORD)

    def _fetch_speaker(self, transfer: Transfer, name: str) -> None:
        thing, what = f"speakers/{name}", f"the speaker '{name}'"

        def fill(manifest: Manifest) -> None:
            check_listed(manifest, {speakers.RECORD}, what)
            with speakers.building(self.home, name, replace=True) as folder:
                transfer.download_all(thing, manifest, folder, what)
                try:
                    record = Speaker.model_validate_json((folder / speakers.RECORD).read_text(encoding="utf-8"))
                except (ValidationError, UnicodeDecodeError) as error:
                    raise manifests.damaged(what, "its record cannot be read") from error
                if record.name != name or record.fingerprint != manifests.speaker_fingerprint(manifest.entries):
                    raise manifests.damaged(what, "its files are not those that were learnt")

        transfer.fetch(thing, what, fill)

    def _fetch(
        self, transfer: Transfer, thing: str, target: Path, complete: Callable[[], bool], check: Callable[[Path, Manifest, str], None]
    ) -> None:
        if complete():  # another worker of this machine was quicker
            return

        def fill(manifest: Manifest) -> None:
            with new_folder(target, unless=complete) as folder:
                transfer.download_all(thing, manifest, folder, thing)
                check(folder, manifest, thing)
                transfer.place_documents(folder)

        transfer.fetch(thing, thing, fill)

    def _delete_inputs(self, digest: str) -> None:
        """Remove a file that somebody's likeness was learnt from, here and from the shared place."""
        for path in (self.home / "inputs").glob(f"{digest}*"):
            path.unlink(missing_ok=True)
        if self.transfer is not None:
            for name in self.transfer.store.names("inputs"):
                if name.startswith(digest):
                    self.transfer.store.remove(f"inputs/{name}")

    def _results(self, job_id: str) -> Path:
        if not _JOB.fullmatch(job_id):
            raise RetakeError("That is not the id of a job.", "List the jobs to see which there are.", kind=ErrorKind.NOT_FOUND, code="unknown_job")
        return self.home / "results" / job_id

    def _lock(self, name: str) -> FileLock:
        """Held while something is fetched, so that the workers of one machine do it once."""
        folder = self.home / "cache" / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")


def _check_take(folder: Path, manifest: Manifest, thing: str) -> None:
    """A record names files of its folder only: anything else would let a shared place point at files of this machine."""
    check_listed(manifest, {takes.RECORD}, thing)
    try:
        stored = takes.StoredTake.model_validate_json((folder / takes.RECORD).read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise manifests.damaged(thing, "its record cannot be read") from error
    check_listed(manifest, set(stored.take.files.model_dump().values()), thing)
    if not thing.endswith(f"/{stored.take.id}") or takes.take_id(stored.key) != stored.take.id:
        raise manifests.damaged(thing, "its record is another take's")


def _check_nothing(folder: Path, manifest: Manifest, thing: str) -> None:
    """Results are what a job wrote; nothing of ours reads them."""


def _with_files(spec: JobSpec, change: Callable[[str], str]) -> JobSpec:
    """The spec with the paths of the files that it reads changed. Where results are delivered to stays as it is."""

    def request(one: TakeRequest) -> TakeRequest:
        return one if one.audio is None else one.model_copy(update={"audio": change(one.audio)})

    match spec:
        case EnrolSpec():
            return spec.model_copy(update={"reference": change(spec.reference)})
        case LineSpec():
            return spec.model_copy(update={"request": request(spec.request)})
        case ScriptSpec():
            return spec.model_copy(update={"requests": [request(one) for one in spec.requests]})
        case TimelineSpec():
            return spec.model_copy(update={"timeline": change(spec.timeline)})
