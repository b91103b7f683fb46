"""`retake enrol`, `retake say` and `retake demo`: the commands that make something."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_options import AsJson, Debug, Quiet, check_output, check_output_folder, existing_file, make_request, parse_size, text_or_file
from retake.console import working
from retake.domain.errors import ErrorKind, RetakeError
from retake.settings import home, load_settings, prepare_home

if TYPE_CHECKING:
    from retake.domain.take import Take

DEMO_TEXT = "Hello! You typed this line, and I am saying it. No camera was needed."


def add_makers(app: typer.Typer) -> None:
    app.command()(enrol)
    app.command()(say)
    app.command()(demo)


def enrol(
    reference: Annotated[Path, typer.Argument(help="Video of 10 to 60 seconds: one person, talking to the camera.")],
    name: Annotated[str, typer.Option("--name", help="Name of the speaker: lower-case letters, digits, '-' and '_'.")],
    consent: Annotated[str, typer.Option("--consent", help="The person's statement that they agree to be reproduced; stored with every take.")] = "",
    transcript: Annotated[str | None, typer.Option("--transcript", help="What is said in the reference: a text file or the text itself.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a speaker of that name.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Learn a person's voice and face from a reference video."""
    if not consent.strip():
        raise RetakeError(
            "Nobody is enrolled without their consent.",
            "Give the person's statement with --consent, for example --consent 'I, Anna K., agree that ... (12 May)'.",
            kind=ErrorKind.REFUSED,
            code="consent_missing",
        )
    path = existing_file(reference, "reference video")
    words = None if transcript is None else text_or_file(transcript, "transcript")
    folder = prepare_home(home())
    from retake.speakers import store

    store.speaker_folder(folder, name)
    if not replace:
        store.refuse_existing(folder, name)
    from retake.speakers.enrol import enrol as run

    with working("enrol", folder, quiet=quiet) as progress:
        result = run(
            path,
            name=name,
            transcript=words,
            consent=consent.strip(),
            home=folder,
            progress=progress,
            replace=replace,
            recorded_by=load_settings(folder).account,
        )
    if as_json:
        cli_output.answer_json({"speaker": result.speaker.model_dump(mode="json"), "report": str(result.report)})
        return
    cli_output.print_lines(result.lines)
    print(f"Report: {result.report}")


def say(
    text: Annotated[str | None, typer.Argument(help="What to say; '-' reads it from standard input.")] = None,
    speaker: Annotated[str | None, typer.Option("--speaker", "-s", help="Who says it; may be left out while only one speaker is enrolled.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The clip to write (.mp4), or the folder for a script.")] = None,
    audio: Annotated[Path | None, typer.Option("--audio", help="Lip-sync this recording instead of generated speech.")] = None,
    transcript: Annotated[str | None, typer.Option("--transcript", help="The words of the recording: a text file or the text itself.")] = None,
    script: Annotated[Path | None, typer.Option("--script", help="Render a script: plain text or Markdown, one paragraph a line.")] = None,
    fps: Annotated[str | None, typer.Option("--fps", help="Frame rate, such as 25, 29.97 or 30000/1001; default: the reference's.")] = None,
    size: Annotated[str | None, typer.Option("--size", help="Picture size, such as 1920x1080; default: the reference's.")] = None,
    fit: Annotated[float | None, typer.Option("--fit", help="Seconds that the take must last.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another number gives another reading.")] = 0,
    style: Annotated[str, typer.Option("--style", help="How it is said: neutral, warm, brisk or emphatic.")] = "neutral",
    lips: Annotated[str | None, typer.Option("--lips", help="Lips engine, see 'retake engines'; default: the one of the settings.")] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="What TEXT is written in, such as de; an engine that speaks it is needed.")
    ] = None,
    voice_engine: Annotated[str | None, typer.Option("--voice-engine", help="Who speaks, see 'retake engines'; default: as in the settings.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a take: a clip of the speaker saying TEXT."""
    _check_sources(text, audio, transcript, script)
    folder = prepare_home(home())
    settings = load_settings(folder)
    width, height = parse_size(size)
    common: dict[str, Any] = {
        "fps": fps,
        "width": width,
        "height": height,
        "seed": seed,
        "style": style,
        "language": language,
        "voice_engine": voice_engine or settings.voice_engine,
        "lips_engine": lips or settings.lips_engine,
    }
    if script is not None:
        if fit is not None:
            raise RetakeError("--fit fits one line, not a script.", "Leave it out, or render the line alone.", code="bad_option")
        _say_script(folder, existing_file(script, "script"), speaker, common, output, as_json=as_json, quiet=quiet)
        return
    common["speaker"] = _speaker(folder, speaker)
    if audio is not None:
        words = "" if transcript is None else text_or_file(transcript, "transcript")
        request = make_request(**common, text=words, audio=str(existing_file(audio, "recording")), fit=fit)
    else:
        request = make_request(**common, text=text_or_file("-", "line") if text == "-" else text, fit=fit)
    target = check_output(output, folder)
    from retake.pipeline import render

    started = time.monotonic()
    with working("say", folder, quiet=quiet) as progress:
        take = render(request, home=folder, output=target, progress=progress)
    if as_json:
        cli_output.answer_json(take.model_dump(mode="json"))
        return
    cli_output.print_lines(take_lines(take, time.monotonic() - started))


def demo(
    text: Annotated[str, typer.Option("--text", help="What the presenter says.")] = DEMO_TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The clip to write (.mp4).")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Let the built-in synthetic presenter say a line."""
    from retake.demo import PRESENTER, enrol_presenter

    folder = prepare_home(home())
    target = check_output(output, folder)
    request = make_request(speaker=PRESENTER, text=text)
    started = time.monotonic()
    from retake.engines.models import install_face_landmarker
    from retake.pipeline import render

    install_face_landmarker()
    report = enrol_presenter(folder, working, quiet=quiet)
    enrolled = time.monotonic()
    with working("say", folder, quiet=quiet) as progress:
        take = render(request, home=folder, output=target, progress=progress)
    finished = time.monotonic()
    if as_json:
        seconds = {"enrol": round(enrolled - started, 2), "render": round(finished - enrolled, 2)}
        cli_output.answer_json({"take": take.model_dump(mode="json"), "speaker_report": str(report), "seconds": seconds})
        return
    cli_output.print_lines(take_lines(take, finished - enrolled))
    print(f"  speaker   {report}")
    print(f"The presenter was ready after {enrolled - started:.0f} s, the take {finished - enrolled:.0f} s later.")
    command = os.environ.get("RETAKE_CALLED_AS", "retake")  # bootstrap.py tells how it calls us, since `retake` is not on everybody's path
    print(f'Say something else:  {command} say "..." --speaker {PRESENTER} -o out.mp4')


def take_lines(take: Take, seconds: float | None = None) -> list[str]:
    """A take for the console: where its files are, and what it is."""
    from retake.domain.rate import FrameRate

    length = FrameRate.parse(take.rate).seconds(take.frames)
    how = "as rendered before" if take.cached else "rendered" if seconds is None else f"rendered in {seconds:.1f} s"
    return [
        f"Take {take.id}: {length:.2f} s, {take.frames} frames at {take.rate} fps, {take.width}x{take.height}, {how}",
        f"  clip      {take.files.clip}",
        f"  timeline  {take.files.timeline}",
        f"  captions  {take.files.captions}",
        f"  report    {take.files.report}",
        f"  poster    {take.files.poster}",
        *[f"  note      {note}" for note in take.measured.get("notes", ())],
    ]


def _check_sources(text: str | None, audio: Path | None, transcript: str | None, script: Path | None) -> None:
    given = [name for name, value in (("a text", text), ("--audio", audio), ("--script", script)) if value is not None]
    if not given:
        raise RetakeError("There is nothing to say.", "Give a text, a recording (--audio) or a script (--script).", code="no_text")
    if len(given) > 1:
        raise RetakeError(
            f"{' and '.join(given)} exclude each other.", "Give one of them; the words of a recording go to --transcript.", code="bad_option"
        )
    if transcript is not None and audio is None:
        raise RetakeError("--transcript belongs to --audio.", "Give the text itself to have it spoken.", code="bad_option")


def _speaker(folder: Path, name: str | None) -> str:
    """The speaker asked for, or the only one; raises RetakeError for unknown ones before anything is computed."""
    from retake.speakers import store

    if name is None:
        known = store.names(folder)
        if len(known) != 1:
            remedy = f"Choose one with --speaker: {', '.join(known)}." if known else "Enrol one first: see 'retake enrol --help'."
            raise RetakeError("It is not said who speaks.", remedy, kind=ErrorKind.NOT_FOUND, code="no_speaker")
        name = known[0]
    return store.load(folder, name).name


def _say_script(folder: Path, path: Path, speaker: str | None, common: dict[str, Any], output: Path | None, *, as_json: bool, quiet: bool) -> None:
    from retake.pipeline import render_script
    from retake.script import parse_script

    script = parse_script(path)
    # A line may name its own speaker; all are looked up before the first line is rendered.
    named = {name: _speaker(folder, name) for name in {line.speaker or speaker for line in script.lines}}
    requests = [make_request(**common, speaker=named[line.speaker or speaker], text=line.text, line_id=line.id) for line in script.lines]
    target = check_output_folder(output if output is not None else Path.cwd() / path.stem, folder)
    started = time.monotonic()
    with working("say", folder, rounds=len(requests), quiet=quiet) as progress:
        result = render_script(script, requests, home=folder, output_folder=target, progress=progress)
    if as_json:
        cli_output.answer_json({"takes": [take.model_dump(mode="json") for take in result.takes], "timeline": str(result.timeline)})
        return
    for take in result.takes:
        cli_output.print_lines(take_lines(take))
    print(f"{len(result.takes)} takes in {time.monotonic() - started:.1f} s")
    print(f"Timeline: {result.timeline}")
