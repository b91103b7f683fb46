"""Why Retake does not work in Resolve, by cause: what is looked at, what was found, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from retake_client import doctor as client_doctor
from retake_client.doctor import Finding
from retake_client.errors import ClientError

from . import __version__, bridge, installing, media_folder
from .errors import EditorError
from .settings import Settings, load

OLDEST_PYTHON = (3, 9)


def examine(home: Path, *, given: Any = None, found: bridge.Places | None = None, fusion: Path | None = None) -> list[Finding]:
    """Look at Python, Resolve's interface, Resolve itself and the daemon; changes nothing and raises nothing for what is wrong.

    Args:
        given: Resolve's object, inside of Resolve.
        found: where Resolve's module and library are.
        fusion: Resolve's Fusion folder, in which the scripts are looked for; None: they are not looked for.
    """
    findings = [_python()]
    if fusion is not None:
        findings.append(_scripts(fusion))
    findings += _resolve(given, found or bridge.places())
    settings, finding = _settings(home)
    findings.append(finding)
    try:
        findings += client_doctor.examine(settings.session(home, media_folder.folder_of(settings)))
    except (EditorError, ClientError) as error:
        findings.append(Finding("connection", False, error.cause, error.remedy))
    return findings


def text_of(findings: list[Finding]) -> list[str]:
    """To be read: one line each, and the remedy below it."""
    out: list[str] = []
    for finding in findings:
        mark = {True: "ok     ", False: "FAILED ", None: "?      "}[finding.ok]
        out.append(f"{mark}  {finding.name}: {finding.sentence}")
        if finding.remedy and finding.ok is not True:
            out.append(f"         -> {finding.remedy}")
    return out


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON or sys.maxsize < 2**32:
        return Finding("Python", False, f"This is Python {version}.", "Install a 64-bit Python 3.9 or newer from python.org.")
    return Finding("Python", True, f"This is Python {version}.", "")


def _scripts(fusion: Path) -> Finding:
    version = installing.installed_version(fusion)
    again = "Run 'retake install davinci'" + ("." if fusion == installing.default_folder() else f" --folder '{fusion}'.")
    if not version:
        return Finding("scripts", False, f"Retake's scripts are not installed in {fusion}.", again)
    missing, changed = installing.damage(fusion)
    if missing:
        return Finding("scripts", False, f"{missing} of the installed files in {fusion} {'is' if missing == 1 else 'are'} missing.", again)
    if version != __version__:
        return Finding("scripts", None, f"The scripts in {fusion} are of version {version}, and this is {__version__}.", again)
    if changed:
        return Finding("scripts", None, f"{changed} of the installed files in {fusion} {'was' if changed == 1 else 'were'} changed.", again)
    return Finding("scripts", True, f"Version {version} is installed in {fusion}.", "")


def _resolve(given: Any, found: bridge.Places) -> list[Finding]:
    """Three findings at most, the later ones only where the earlier are good: they could not say more than 'unknown'."""
    findings: list[Finding] = []
    if given is None:
        gone = bridge.missing(found)
        if gone:
            remedy = (
                f"Install DaVinci Resolve Studio, set {bridge.API_VARIABLE} and {bridge.LIBRARY_VARIABLE} to where it is, "
                "or go by files ('The free edition' in docs/davinci.md)."
            )
            return [Finding("DaVinci Resolve", False, f"It was not found on this machine ({gone[0]} is missing).", remedy)]
        trouble = bridge.probe(found)
        if trouble:
            remedy = "Use a 64-bit Python that Resolve's scripting documentation names; on Windows Resolve takes the newest one that is installed."
            return [Finding("scripting interface", False, f"This Python cannot load it: {trouble[:200]}", remedy)]
        findings.append(Finding("scripting interface", True, f"{found.library} can be loaded.", ""))
    try:
        host = bridge.connect(given, found=found, careful=False)
    except EditorError as error:
        return [*findings, Finding("DaVinci Resolve", False, error.cause, error.remedy)]
    return [*findings, Finding("DaVinci Resolve", True, f"{host.name} answers.", "")]


def _settings(home: Path) -> tuple[Settings, Finding]:
    try:
        settings = load(home)
    except EditorError as error:
        return Settings(), Finding("settings", False, error.cause, error.remedy)
    changed = settings != Settings()
    return settings, Finding("settings", True, "They are those of davinci.json." if changed else "They are the defaults.", "")
