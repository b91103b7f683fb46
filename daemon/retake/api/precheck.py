"""What can be told about a job before it is queued, without loading what it takes to do it."""

from __future__ import annotations

from pathlib import Path

from retake.api.context import Context
from retake.api.shared import artefacts_of
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, JobSpec, LineSpec, ScriptSpec
from retake.domain.take import TakeRequest
from retake.engines import registry
from retake.speakers import store as speakers
from retake.speech.languages import check_line

SHORTEST_CONSENT = 10  # as speakers.enrol.check_consent, which would load everything that enrolling needs


def check(context: Context, spec: JobSpec) -> None:
    """Raise RetakeError for a job that cannot be done: unknown speakers and engines, texts that cannot be spoken, a name that is taken."""
    if isinstance(spec, EnrolSpec):
        _check_enrol(context.home, spec)
    elif isinstance(spec, LineSpec):
        _check_line(context, spec.request, {})
    elif isinstance(spec, ScriptSpec):
        known: dict[str, None] = {}
        for number, request in enumerate(spec.requests, 1):
            try:
                _check_line(context, request, known)
            except RetakeError as error:
                start = " ".join(request.text.split())[:40]
                raise RetakeError(f"Line {number} ('{start}'): {error.cause}", error.remedy, kind=error.kind, code=error.code) from error
    elif spec.speaker is not None:
        _require_speaker(context, spec.speaker)


def _check_enrol(home: Path, spec: EnrolSpec) -> None:
    if not spec.replace:
        speakers.refuse_existing(home, spec.name)
    else:
        speakers.speaker_folder(home, spec.name)
    statement = " ".join(spec.consent.split())
    if len(statement) < SHORTEST_CONSENT or not any(c.isalpha() for c in statement):
        raise RetakeError(
            "A person is only enrolled with a statement of their consent.",
            "Give it in their words, for example 'I, Anna K., agree that Retake may speak in my voice for our training videos.'",
            kind=ErrorKind.REFUSED,
            code="consent_missing",
        )


def _check_line(context: Context, request: TakeRequest, known: dict[str, None]) -> None:
    """Check one line. `known` holds the speakers that were found before, so that a script asks the disk once for each."""
    if request.speaker not in known:
        _require_speaker(context, request.speaker)
        known[request.speaker] = None
    if request.voice_engine != "embedded":
        registry.ready_engine(context.home, request.voice_engine, "voice")
    if request.lips_engine != "embedded":
        registry.ready_engine(context.home, request.lips_engine, "lips")
    if request.audio is None:
        check_line(request.text, request.voice_engine, context.home, asked=request.language)


def _require_speaker(context: Context, name: str) -> None:
    """Raise RetakeError (unknown_speaker) unless the speaker is known, here or where machines share speakers (another one may have enrolled it)."""
    shared = artefacts_of(context)
    if shared is None:
        speakers.require(context.home, name)
    else:
        shared.ensure_speaker(name)
