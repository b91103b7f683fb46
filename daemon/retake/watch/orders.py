"""What a dropped file asks for -> requests for takes, and jobs for the queue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from retake import __version__
from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.fingerprint import fingerprint
from retake.domain.job import JobSpec, LineSpec, Priority, TimelineSpec
from retake.domain.rate import FrameRate
from retake.domain.speaker import Speaker
from retake.domain.take import TakeRequest
from retake.jobs.queue import Submission
from retake.settings import Settings
from retake.speakers import store as speakers
from retake.watch.names import safe_stem
from retake.watch.read_csv import together
from retake.watch.wish import Drop, Wish, at


@dataclass(frozen=True)
class Order:
    """One clip to be made for a dropped file.

    stem: name wanted for it in `out`, a safe one.
    request: its line id stays the same whenever the same file asks for the same clip, which is how a clip in `out` is known again.
    start_frame: where it begins on the timeline of its file; None: behind the one before.
    """

    number: int
    where: str
    stem: str
    request: TakeRequest
    start_frame: int | None = None


@dataclass(frozen=True)
class People:
    """Who can speak in a home, looked up once for each file.

    default: speaker for clips that name none; "" for the only one there is.
    """

    home: Path
    default: str = ""

    def called(self, name: str | None) -> Speaker:
        """Raises RetakeError (no_speaker, unknown_speaker, bad_name)."""
        wanted = name or self.default
        if not wanted:
            known = speakers.names(self.home)
            if len(known) != 1:
                remedy = f"Write 'speaker: NAME' into the file, or give the folder one; known: {', '.join(known)}." if known else "Enrol one first."
                raise RetakeError("It is not said who speaks.", remedy, kind=ErrorKind.NOT_FOUND, code="no_speaker")
            wanted = known[0]
        return speakers.load(self.home, wanted)


def orders_for(drop: Drop, name: str, people: People, settings: Settings) -> list[Order]:
    """The clips of a dropped file.

    Args:
        name: the file's name, as it was dropped.

    Raises RetakeError; problems of several clips are reported together.
    """
    from retake.speech.languages import check_line

    found: dict[str | None, Speaker] = {}
    out: list[Order] = []
    problems: list[RetakeError] = []
    base = safe_stem(Path(name).stem)
    several = len(drop.wishes) > 1
    digits = max(3, len(str(len(drop.wishes))))
    for wish in drop.wishes:
        try:
            with at(wish.where):
                _check_characters(wish.text)
                check_line(wish.text, settings.voice_engine, people.home, asked=wish.options.language)
                speaker = found.get(wish.options.speaker) or people.called(wish.options.speaker)
                found[wish.options.speaker] = speaker
                stem = base if wish.options.output is None else safe_stem(wish.options.output)
                if several and wish.options.output == drop.options.output:
                    stem = f"{stem}-{wish.number:0{digits}d}"
                out.append(_order(wish, stem, name, speaker, settings))
        except RetakeError as error:
            problems.append(error)
    if problems:
        raise together(problems, f"{len(problems)} of {len(drop.wishes)} lines")
    if drop.together:
        _check_one_rate(out, people)
    return out


def line_submission(order: Order, home: Path, client: str, attempt: int) -> Submission:
    """The job of an order. The same clip asked for again is the same job, as long as the speaker and Retake stay what they are.

    Args:
        attempt: counts up when what an earlier job made is no longer there.
    """
    speaker = speakers.load(home, order.request.speaker)
    asked = order.request.model_dump(mode="json", exclude={"line_id"} | ({"language"} if order.request.language is None else set()))
    return Submission(
        spec=LineSpec(request=order.request),
        priority=Priority.BATCH,
        client=client,
        idempotency_key=_key("line", asked, speaker.fingerprint, client, attempt),
    )


def timeline_submission(timeline: Path, content: bytes, *, speaker: str, client: str, label: str, attempt: int) -> Submission:
    """The job that fills a timeline.

    Args:
        timeline: a copy whose name follows from its content, so that the same content is the same request.
    """
    spec: JobSpec = TimelineSpec(timeline=str(timeline), speaker=speaker or None)
    key = _key("timeline", hashlib.sha256(content).hexdigest(), str(timeline), speaker, client, attempt)
    return Submission(spec=spec, priority=Priority.BATCH, client=client, label=label, idempotency_key=key)


def _check_characters(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:  # halves of characters, which JSON can write
        raise RetakeError("The text holds half a character.", "Write the text in plain UTF-8, without \\u escapes.", code="not_text") from error


def _key(*parts: object) -> str:
    return f"watch:{fingerprint(__version__, *parts)}"


def _order(wish: Wish, stem: str, name: str, speaker: Speaker, settings: Settings) -> Order:
    options = wish.options
    rate = FrameRate.parse(options.fps or speaker.rate)
    start = None if wish.cue is None else rate.frames(wish.cue.start)
    # From frame to frame, so that cues which touch do so exactly.
    fit = options.fit if wish.cue is None or start is None else rate.seconds(max(1, rate.frames(wish.cue.end) - start))
    width, height = options.size or (None, None)
    asked = {
        "speaker": speaker.name,
        "text": wish.text,
        "fps": options.fps,
        "width": width,
        "height": height,
        "fit": fit,
        "seed": options.seed or 0,
        "voice_engine": settings.voice_engine,
        "lips_engine": settings.lips_engine,
    } | ({"language": options.language} if options.language else {})  # left out by default: line ids follow from this
    line_id = fingerprint("watch", name, wish.number, asked)[:12]
    try:
        request = TakeRequest.model_validate({**asked, "line_id": line_id})
    except ValidationError as error:
        first = error.errors()[0]
        what = str(first["loc"][0]) if first["loc"] else "this"
        raise RetakeError(f"{what}: {first.get('input')!r} is not possible.", f"{first['msg']}.", code="bad_option") from error
    return Order(wish.number, wish.where, stem, request, start)


def _check_one_rate(orders: list[Order], people: People) -> None:
    rates = {str(FrameRate.parse(order.request.fps or people.called(order.request.speaker).rate)) for order in orders}
    if len(rates) > 1:
        raise RetakeError(
            f"The lines of this file have different frame rates ({', '.join(sorted(rates))}), and a timeline has one.",
            "Write 'fps: 25' (or another one) into the file, for all lines.",
            code="mixed_rates",
        )
