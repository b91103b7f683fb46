"""What each kind of job does, in steps: what a finished step made is kept, so that a job that is taken up again goes on behind it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from retake.domain.errors import Cancelled, ErrorKind, RetakeError
from retake.domain.job import EnrolSpec, Job, JobError, JobResult, LineSpec, ScriptSpec, TimelineSpec
from retake.domain.take import Take, TakeRequest
from retake.jobs.artefacts import Artefacts
from retake.jobs.reporter import Reporter

if TYPE_CHECKING:
    from retake.fill import Options, Plan, Wanted

# Runs a function once for each job and name, and from then on answers with what it returned (JSON).
Step = Callable[[str, Callable[[], JsonValue]], JsonValue]


# Number of a step, from 1, and of all steps.
Place = tuple[int, int]


@dataclass(frozen=True)
class Work:
    """Everything the steps of a job need."""

    job: Job
    home: Path
    artefacts: Artefacts
    reporter: Reporter
    durable: Step
    roots: tuple[Path, ...] = ()  # folders in which recordings may lie that a timeline names

    def step(self, name: str, place: Place, function: Callable[[], JsonValue]) -> Any:
        """Do `function` as the step at `place`, unless it was done before. Raises RetakeError as it did."""
        self.reporter.step(*place)
        self.reporter.progress.check()

        def careful() -> JsonValue:
            try:
                return {"value": function()}
            except RetakeError as error:  # kept as data: exceptions would have to be pickled
                return {"error": JobError.of(error).model_dump(mode="json")}

        answer = self.durable(name, careful)
        assert isinstance(answer, dict)
        if "error" in answer:
            error = JobError.model_validate(answer["error"]).as_error()
            raise Cancelled() if error.kind is ErrorKind.CANCELLED else error
        return answer["value"]


def results_folder(home: Path, job_id: str) -> Path:
    """Where a job's own results lie: a script's clips and timeline, a filled timeline."""
    return home / "results" / Path(job_id).name


def work_folder(home: Path, job_id: str) -> Path:
    """Where a job keeps what it may go on from."""
    return home / "work" / Path(job_id).name


def rounds(job: Job) -> int:
    """How often the stages of rendering are gone through, as far as the request tells."""
    return len(job.spec.requests) if isinstance(job.spec, ScriptSpec) else 1


def clean_up(home: Path, job_id: str) -> None:
    """Remove what a job that ended without success has left. Takes of its finished lines stay in the store, for the next attempt."""
    for folder in (results_folder(home, job_id), work_folder(home, job_id)):
        shutil.rmtree(folder, ignore_errors=True)


def building_places(home: Path) -> list[Path]:
    """Folders of the home in which a worker writes beside the final place."""
    places = [home / name for name in ("takes", "speakers", "results", "work", "cache", "logs/jobs")]
    for parent in ("cache/speech", "work", "results"):
        with contextlib.suppress(OSError):
            places += [entry for entry in (home / parent).iterdir() if entry.is_dir()]
    return places


def empty(folder: Path) -> None:
    """Make `folder` an empty one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)


def run(work: Work) -> JobResult:
    """Do the job. Raises RetakeError for what cannot be done, Cancelled."""
    spec = work.artefacts.localise(work.job.spec)
    if isinstance(spec, EnrolSpec):
        result = _enrol(work, spec)
    elif isinstance(spec, LineSpec):
        result = _line(work, spec)
    elif isinstance(spec, ScriptSpec):
        result = _script(work, spec)
    else:
        result = _timeline(work, spec)
    shutil.rmtree(work_folder(work.home, work.job.id), ignore_errors=True)
    return result


def _enrol(work: Work, spec: EnrolSpec) -> JobResult:
    from retake.speakers.enrol import enrol

    def learn() -> JsonValue:
        result = enrol(
            Path(spec.reference),
            name=spec.name,
            transcript=spec.transcript,
            consent=spec.consent,
            home=work.home,
            progress=work.reporter.progress,
            replace=spec.replace,
            max_seconds=spec.max_seconds,
            recorded_by=spec.recorded_by,
            work=work_folder(work.home, work.job.id),
        )
        work.artefacts.push_speaker(spec.name)
        return [warning.message for warning in result.speaker.warnings]

    notes = work.step("enrol", (1, 1), learn)
    return JobResult(speaker=spec.name, notes=notes)


def _line(work: Work, spec: LineSpec) -> JobResult:
    from retake import pipeline

    request = spec.request
    work.artefacts.ensure_speaker(request.speaker)
    work.step("speak", (1, 2), lambda: pipeline.prepare_line(request, home=work.home, progress=work.reporter.progress))
    output = None if spec.output is None else Path(spec.output)
    take = _rendered(work, "render", (2, 2), request, output)
    return JobResult(takes=[take.id], files=[] if output is None else [take.files.clip], notes=_notes(take))


def _script(work: Work, spec: ScriptSpec) -> JobResult:
    from retake import pipeline
    from retake.takes import delivery, finish

    for name in {request.speaker for request in spec.requests}:
        work.artefacts.ensure_speaker(name)
    own = results_folder(work.home, work.job.id)
    folder = own if spec.output_folder is None else Path(spec.output_folder)
    if folder == own:
        folder.parent.mkdir(parents=True, exist_ok=True)
    requests = pipeline.prepare_script(list(spec.requests), home=work.home, output_folder=folder)
    steps = len(requests) + 1
    done: list[Take] = []
    for number, request in enumerate(requests, 1):
        with pipeline.of_line(number, request):
            done.append(_rendered(work, f"line {number}", (number, steps), request, pipeline.line_output(folder, number, request)))

    def finished() -> JsonValue:
        timeline = delivery.script_timeline(folder)
        finish.write_script_timeline(timeline, spec.title, done)
        return str(timeline)

    timeline = work.step("timeline", (steps, steps), finished)
    if folder == own:
        work.artefacts.push_results(work.job.id)
    notes = [f"Line {number}: {note}" for number, take in enumerate(done, 1) for note in _notes(take)]
    return JobResult(takes=[take.id for take in done], timeline=timeline, files=[take.files.clip for take in done], notes=notes)


def _timeline(work: Work, spec: TimelineSpec) -> JobResult:
    from retake import fill
    from retake.takes import store

    source = Path(spec.timeline)
    own = results_folder(work.home, work.job.id)
    output = own / source.name if spec.output is None else Path(spec.output)
    if spec.output is not None:
        fill.check_output(output)
    if spec.speaker is not None:
        work.artefacts.ensure_speaker(spec.speaker)
    options = fill.Options(spec.speaker, spec.seed, spec.conform, spec.handles, spec.markers, tuple(spec.refill), spec.again, strict=spec.strict)
    planned = _planned(work, source, options)
    work.reporter.expect(len(planned.lines))
    steps = len(planned.lines) + 1
    takes: dict[str, Take] = {}
    for number, wanted in enumerate(list(planned.lines), 1):
        try:
            with fill.of_line(wanted.label):
                work.artefacts.ensure_speaker(wanted.request.speaker)
                takes[wanted.key] = _rendered(work, f"clip {number}", (number, steps), partial(_with_room, work, wanted), None)
        except RetakeError as error:
            if spec.strict or not fill.of_one_line(error):
                raise
            planned = planned.without(wanted, error)
    if not takes:
        fill.check_any(planned.unfilled)

    def filled() -> JsonValue:
        if spec.output is None:
            own.mkdir(parents=True, exist_ok=True)
        for take in takes.values():
            store.load(work.home, take.id)
        done = fill.fill(source, planned, takes, output, options=options)
        return {"timeline": str(done.path), "notes": [*done.notes]}

    answer = work.step("fill", (steps, steps), filled)
    if isinstance(answer, str):  # by a version of Retake that said nothing of notes
        answer = {"timeline": answer, "notes": []}
    timeline, notes = answer["timeline"], answer["notes"]
    if spec.output is None:
        work.artefacts.push_results(work.job.id)
    return JobResult(takes=[take.id for take in takes.values()], timeline=timeline, files=[timeline], notes=notes, unfilled=len(planned.unfilled))


def _planned(work: Work, source: Path, options: Options) -> Plan:
    """The plan. A job that is taken up again leaves out what it left out before, whatever has become possible meanwhile: its steps are counted."""
    from retake import fill

    planned = fill.plan(source, options, home=work.home, roots=work.roots)
    kept = work.durable("plan", lambda: {"lines": [line.key for line in planned.lines], "unfilled": [str(line) for line in planned.unfilled]})
    assert isinstance(kept, dict)
    keys = kept["lines"]
    if keys == [line.key for line in planned.lines]:
        return planned
    raise RetakeError("The speakers or recordings of the timeline changed while it was being filled.", "Retry the job.", code="changed_meanwhile")


def _with_room(work: Work, wanted: Wanted) -> TakeRequest:
    from retake import fill

    work.reporter.progress.stage("Speaking")
    return fill.with_room(wanted, home=work.home, progress=work.reporter.progress)


def _rendered(work: Work, name: str, place: Place, asked: TakeRequest | Callable[[], TakeRequest], output: Path | None) -> Take:
    """The take of one line, as a step. What is asked for may only be found out in it."""
    from retake import pipeline
    from retake.takes import store

    def render() -> JsonValue:
        request = asked if isinstance(asked, TakeRequest) else asked()
        if work.artefacts.shared:
            with contextlib.suppress(RetakeError):  # another machine may have made it; if not, or if it cannot be had, it is made here
                work.artefacts.ensure_take(store.take_id(pipeline.take_key(request, home=work.home)))
        take = pipeline.render(request, home=work.home, output=output, progress=work.reporter.progress)
        work.artefacts.push_take(take.id)
        return take.model_dump(mode="json")

    return Take.model_validate(work.step(name, place, render))


def _notes(take: Take) -> list[str]:
    return [str(note) for note in take.measured.get("notes", [])]
