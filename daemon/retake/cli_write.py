"""`retake write` and `rewrite`: a language model helps with the words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retake import cli_output
from retake.cli_asking import Show, heard_by, model_for, show_request, usage_document
from retake.cli_options import AsJson, Debug, Quiet, text_or_file
from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.settings import home

if TYPE_CHECKING:
    from pydantic import BaseModel

    from retake.domain.script import Script
    from retake.script.prompts import Manner
    from retake.script.writing import Written

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the script here, as a prompt file for 'retake say --script'.")]
Speaker = Annotated[str, typer.Option("--speaker", "-s", help="Who will say it: their pace and their way of talking are kept to.")]
NoStyle = Annotated[bool, typer.Option("--no-style", help="Do not send the words of the speaker's reference as an example.")]
ANYBODY = 2.5  # words a second where no speaker is named


def add_writers(app: typer.Typer) -> None:
    app.command()(write)
    app.command()(rewrite)


@dataclass(frozen=True)
class _Voice:
    """What is known of who will speak. `seconds` tells how long lines take; None where nobody is named."""

    name: str
    manner: Manner
    seconds: Callable[[Sequence[str]], float] | None


def write(
    brief: Annotated[str, typer.Argument(help="What the script is about, or a text file that says it, or - for standard input.")],
    speaker: Speaker = "",
    seconds: Annotated[float | None, typer.Option("--seconds", min=2, max=3600, help="How long it has to take.")] = None,
    language: Annotated[str, typer.Option("--language", help="Of the script, such as en or de.")] = "en",
    audience: Annotated[str, typer.Option("--for", help="Who will watch it.")] = "",
    output: Output = None,
    no_style: NoStyle = False,
    show: Show = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a script from a brief, in a speaker's way of talking, that takes the time it may take."""
    from retake.script.answers import WrittenScript
    from retake.script.prompts import write_prompt
    from retake.script.writing import check_material
    from retake.script.writing import write as ask

    text = check_material(text_or_file(brief, "brief"), "brief")
    target = _target(output)
    voice = _voice(speaker, no_style=no_style, offline=show)
    prompt = write_prompt(text, voice.manner, seconds=seconds, language=language, audience=audience)
    if show:
        show_request(prompt, WrittenScript)
        return
    model = model_for(prompt, quiet=quiet)
    done = ask(
        model,
        prompt,
        speaker=voice.name,
        wanted=seconds,
        seconds=voice.seconds,
        progress=Progress(),
        heard=heard_by(quiet=quiet, as_json=as_json),
    )
    _tell(done, target, as_json=as_json, quiet=quiet)


def rewrite(
    script: Annotated[str, typer.Argument(help="A prompt file (text or Markdown), or the text itself, or - for standard input.")],
    shorten: Annotated[float | None, typer.Option("--shorten", min=1, max=3600, help="Say it in so many seconds.")] = None,
    simplify: Annotated[bool, typer.Option("--simplify", help="Say it in plainer words.")] = False,
    translate: Annotated[str, typer.Option("--translate", help="Say it in this language, such as de.")] = "",
    vary: Annotated[int, typer.Option("--vary", min=0, max=10, help="Make so many versions of it for a comparison.")] = 0,
    speaker: Speaker = "",
    output: Output = None,
    no_style: NoStyle = False,
    show: Show = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Rewrite a script: shorten it to fit, simplify or translate it, or make versions of it. Every line keeps its speaker."""
    from retake.script import prompts, writing
    from retake.script.answers import KeptLines, Variants
    from retake.script.parse import parse_text

    if sum((shorten is not None, simplify, bool(translate), vary > 0)) != 1:
        raise RetakeError(
            "It is not clear what to do with the script.", "Give one of --shorten, --simplify, --translate and --vary.", code="bad_option"
        )
    text = writing.check_material(text_or_file(script, "script"), "script")
    given = parse_text(text)
    name = speaker or _only_speaker(given)
    target = _target(output)
    voice = _voice(name, no_style=no_style or bool(translate), offline=show)
    lines = [line.text for line in given.lines]
    shape: type[BaseModel] = Variants if vary else KeptLines
    if vary:
        prompt = prompts.vary_prompt(lines, voice.manner, count=vary)
    elif translate:
        prompt = prompts.translate_prompt(lines, language=translate)
    elif simplify:
        prompt = prompts.simplify_prompt(lines, voice.manner)
    else:
        prompt = prompts.shorten_prompt(lines, voice.manner, seconds=shorten or 0.0)
    if show:
        show_request(prompt, shape)
        return
    model, heard = model_for(prompt, quiet=quiet), heard_by(quiet=quiet, as_json=as_json)
    timed = None if translate else voice.seconds  # the estimate knows the voice's own language
    if vary:
        done = writing.vary(model, prompt, speaker=name, count=vary, seconds=timed, progress=Progress(), heard=heard)
    else:
        cut = shorten is not None
        done = writing.rewrite(
            model, prompt, given.lines, title=given.title, may_cut=cut, wanted=shorten, seconds=timed, progress=Progress(), heard=heard
        )
    _tell(done, target, as_json=as_json, quiet=quiet)


def _voice(name: str, *, no_style: bool, offline: bool) -> _Voice:
    """The speaker's pace and words. `offline`: only shown, but the pace belongs to what is shown."""
    from retake.script.prompts import Manner

    if not name:
        return _Voice("", Manner(ANYBODY), lambda lines: sum(len(line.split()) for line in lines) / ANYBODY)
    from retake.speakers import store
    from retake.speech.estimate import Estimate

    known = store.load(home(), name)
    words = known.transcript if known.transcript_source == "given" else ""
    estimate = Estimate(store.speaker_folder(home(), name))
    sample = words or "People usually talk like this when they explain something, and then they stop for a moment."
    pace = len(sample.split()) / max(1.0, estimate.seconds([sample]))
    return _Voice(name, Manner(round(pace, 2), "" if no_style else words), estimate.seconds)


def _only_speaker(script: Script) -> str:
    named = {line.speaker for line in script.lines if line.speaker}
    return next(iter(named)) if len(named) == 1 else ""


def _target(output: Path | None) -> Path | None:
    if output is None:
        return None
    target = output.expanduser().resolve()
    if target.suffix.lower() not in {".md", ".txt"}:
        raise RetakeError(f"{target.name} is no name for a script.", "Give it the ending .md.", code="bad_output")
    if not target.parent.is_dir():
        raise RetakeError(f"There is no folder {target.parent}.", "Make it first.", code="bad_output")
    return target


def _tell(done: Written, target: Path | None, *, as_json: bool, quiet: bool) -> None:
    from retake.media.files import atomic_text
    from retake.script.writing import as_markdown

    files: list[str] = []
    for number, draft in enumerate(done.drafts, 1):
        if target is not None:
            own = target if len(done.drafts) == 1 else target.with_stem(f"{target.stem}-{number}")
            atomic_text(own, as_markdown(draft))
            files.append(str(own))
    if as_json:
        cli_output.answer_json({"drafts": [_document(draft) for draft in done.drafts], "files": files, "usage": usage_document(done.usage)})
        return
    if not quiet and sys.stderr.isatty():
        print(file=sys.stderr)
    for number, draft in enumerate(done.drafts, 1):
        if target is None:
            print(as_markdown(draft), end="\n" if number < len(done.drafts) else "")
        else:
            print(f"Script: {files[number - 1]} ({len(draft.lines)} lines{'' if draft.seconds is None else f', about {draft.seconds:.0f} s'})")
        cli_output.print_lines(f"note: {note}" for note in draft.notes)
    if not quiet:
        print(done.usage.sentence(), file=sys.stderr)


def _document(draft: Any) -> dict[str, Any]:
    return {
        "title": draft.title,
        "seconds": None if draft.seconds is None else round(draft.seconds, 1),
        "lines": [{"speaker": line.speaker, "text": line.text} for line in draft.lines],
        "notes": list(draft.notes),
    }
