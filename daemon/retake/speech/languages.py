"""Which language a line is spoken in, whether its engine speaks it, and who else does."""

from __future__ import annotations

from pathlib import Path

from retake.domain.errors import RetakeError
from retake.domain.language import language_name, primary, spoken_as
from retake.engines import registry

from . import text as texts
from .foreign import noticed
from .protocol import VoiceEngine

EMBEDDED = ("en",)  # what the embedded voice speaks; told here without loading it
ENGLISH = "en"


def spoken_by(engine: str, home: Path) -> tuple[str, ...]:
    """Tags of what an engine speaks; none: any. Raises RetakeError as `registry.ready_engine`."""
    return EMBEDDED if engine == "embedded" else tuple(registry.ready_engine(home, engine, "voice").manifest.languages)


def chosen(text: str, languages: tuple[str, ...], *, asked: str | None, own: str = ENGLISH) -> str | None:
    """The engine's tag of the language that `text` is to be spoken in; None where the engine does not speak it.

    Args:
        languages: what the engine speaks; none: any.
        asked: the language that was asked for; None: that of the text where it is noticed and the engine speaks it, else `own`.
        own: the speaker's.
    """
    if asked is not None:
        return spoken_as(asked, languages)
    found = noticed(text) if languages != EMBEDDED else None
    if found is not None and languages and (tag := spoken_as(found, languages)) is not None:
        return tag
    return spoken_as(own, languages)


def check_line(text: str, engine: str, home: Path, *, asked: str | None = None) -> tuple[str, ...]:
    """Raise RetakeError if `engine` cannot say `text` in the language `asked` (None: as `chosen` finds); otherwise notes for the user.

    Codes: text_empty, text_too_long, text_language, bad_hint, engine_language, and those of an engine that is not there.
    """
    languages = spoken_by(engine, home)
    tag = chosen(text, languages, asked=asked)
    if tag is None and asked is not None:
        raise refused(engine, languages, asked, home)
    found = noticed(text) if asked is None else None
    if tag is not None and primary(tag) != ENGLISH:
        notes = texts.check(text, language=tag)
        how = f"It reads like {language_name(tag)} and is spoken as that; '--language' says otherwise."
        return (*notes, how) if found is not None and primary(found) == primary(tag) else notes
    try:
        notes = texts.check(text)
    except RetakeError as error:
        if error.code != "text_language" or found is None:
            raise
        others = refused(engine, languages, found, home)
        raise RetakeError(error.cause, others.remedy, kind=error.kind, code=error.code) from error
    if found is None or primary(found) == ENGLISH:
        return notes
    return (*notes, f"It reads like {language_name(found)}, and is spoken as English. {refused(engine, languages, found, home).remedy}")


def refused(engine: str, languages: tuple[str, ...], wanted: str, home: Path) -> RetakeError:
    """The error of an engine that does not speak the language that is wanted: it names those that do, installed ones first."""
    those = [one for one in registry.engines(home, "voice") if one.name != engine and spoken_as(wanted, one.manifest.languages) is not None]
    ready = [one.name for one in those if one.ready]
    others = [f"{one.name} ({one.manifest.licence.name})" for one in those if not one.ready]
    known = ", ".join(language_name(tag) for tag in languages)
    cause = f"The engine '{engine}' does not speak {language_name(wanted)}; it speaks {known}."
    parts: list[str] = []
    if ready:
        parts.append(f"Installed, and speaks it: {', '.join(ready)}. Add '--language {wanted} --voice-engine {ready[0]}'.")
    if others:
        first = next(one for one in those if not one.ready)
        accept = " --accept-licence" if first.manifest.licence.accept else ""
        parts.append(f"Can be installed, and speaks it: {', '.join(others)}. Run 'retake engines install {first.name}{accept}'.")
    if engine != "embedded" and primary(wanted) == ENGLISH:
        parts.insert(0, "The embedded engine does.")
    if not parts:
        parts.append("No engine that Retake knows does; 'retake engines list' shows what each speaks.")
    return RetakeError(cause, " ".join(parts), code="engine_language")


def in_language(voice: VoiceEngine, asked: str | None, home: Path) -> VoiceEngine:
    """`voice`, speaking the language that is asked for; None: itself. Raises RetakeError (engine_language) where it does not speak it."""
    from .hosted import HostedVoice

    if asked is None:
        return voice
    tag = spoken_as(asked, voice.languages)
    if tag is None:
        raise refused(voice.name, voice.languages, asked, home)
    return voice.speaking(tag) if isinstance(voice, HostedVoice) else voice
