"""What stands between this program and a take, by cause. Both plugins show this, with findings of their own before it.

What is wrong on the daemon's own machine (codecs, models, disk) is found by `retake doctor` there; `of_the_product` asks it where it is installed
here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from . import starting
from .client import Client
from .connection import CONNECTION_FILE, LOCK_FILE, Connection, default_home, is_held
from .errors import ClientError, NoDaemon
from .local_takes import runs_here
from .orders import SessionSettings
from .states import Problem, problem_of

ANSWER_SECONDS = 5.0
CLOCK_SECONDS = 120.0  # certificates and tickets hold for minutes
LEAST_BYTES = 200_000_000
SLOW_SECONDS = 1.0
_MARKS = {True: "ok     ", False: "FAILED ", None: "?      "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    name: what it is about, one or two words.
    ok: True: good. False: it keeps Retake from working. None: it could not be found out, or it only makes things slower or less comfortable.
    sentence: what was found. remedy: what to do about it; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    sentence: str
    remedy: str = ""


def examine(settings: SessionSettings | None = None, host: Sequence[Finding] | None = None) -> list[Finding]:
    """Look at everything between this program and the daemon. Takes a few seconds at most; changes nothing (a probe file is written and removed).

    Args:
        host: what the plugin found out about its own program; it comes first.
    """
    wanted = settings or SessionSettings()
    findings = [*(host or ()), *_installed(wanted)]
    client, found = _connection(wanted)
    findings += found
    if client is not None:
        findings += _daemon(client)
    findings += _paths(wanted, client)
    findings.append(_folder(wanted))
    return findings


def text_of(findings: Sequence[Finding]) -> str:
    """To be read in a console: one line each, and the remedy below it."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.ok]}  {finding.name}: {finding.sentence}")
        if finding.remedy:
            lines.append(f"         -> {finding.remedy}")
    return "\n".join(lines)


def of_the_product(settings: SessionSettings | None = None, *, seconds: float = 60.0) -> list[Finding]:
    """What `retake doctor` says on this machine. Loads the product's libraries in a process of its own: takes some seconds."""
    wanted = settings or SessionSettings()
    command = starting.find_command(wanted.command or None)
    if command is None:
        return [Finding("installation", None, Problem.NOT_INSTALLED.sentence, Problem.NOT_INSTALLED.remedy)]
    environment = {**starting.environment_for(_home(wanted)), "PYTHONIOENCODING": "utf-8"}
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        done = subprocess.run(
            [*command, "doctor", "--json"],
            capture_output=True,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
            creationflags=flags,
        )
        checks = json.loads(done.stdout.decode("utf-8", "replace"))["checks"]
        states = {"ok": True, "warning": None, "failed": False}
        return [Finding(str(check["name"]), states.get(check["state"]), f"{check['detail']}.", str(check.get("remedy") or "")) for check in checks]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        sentence = f"'retake doctor' gave no answer ({type(error).__name__})."
        return [Finding("installation", None, sentence, "Run it in a terminal and read what it says.")]


def _home(settings: SessionSettings) -> Path:
    return default_home() if settings.home is None else Path(settings.home)


def _installed(settings: SessionSettings) -> list[Finding]:
    """Whether there is something to be started; no question where the daemon is on another machine."""
    if settings.address:
        return []
    command = starting.find_command(settings.command or None)
    if command is not None:
        return [Finding("installation", True, f"Retake is installed: {command[0]}.")]
    runs = is_held(_home(settings) / LOCK_FILE)
    named = f" as {' '.join(settings.command)}" if settings.command else ""
    sentence = f"Retake was not found on this machine{named}" + (", but it runs." if runs else ".")
    return [Finding("installation", None if runs else False, sentence, Problem.NOT_INSTALLED.remedy)]


def _connection(settings: SessionSettings) -> tuple[Client | None, list[Finding]]:
    """The way to a daemon that answers and understands us; None, and why not."""
    if settings.address:
        if not settings.token:
            remedy = "Copy the content of the file 'token' in Retake's folder on that machine."
            return None, [Finding("token", False, f"No token is set for {settings.address}.", remedy)]
        try:
            connection = Connection(
                settings.address, settings.token, certificate_sha256=settings.certificate_sha256, authorities=settings.authorities
            )
        except ClientError as error:
            return None, [Finding("address", False, error.cause, error.remedy)]
        findings: list[Finding] = []
    else:
        home = _home(settings)
        try:
            connection = Connection.find(home)
        except NoDaemon as error:
            if is_held(home / LOCK_FILE):
                return None, [Finding("daemon", None, "The daemon is starting or ending.", "Wait a moment and look again.")]
            remedy = error.remedy if not settings.may_start else f"{error.remedy} An order starts it as well."
            return None, [Finding("daemon", False, error.cause, remedy)]
        except ClientError as error:
            return None, [Finding("connection file", False, error.cause, error.remedy)]
        findings = [Finding("connection file", True, f"{home / CONNECTION_FILE} names {connection.address}.")]
    client = Client(connection, name=settings.name, timeout=ANSWER_SECONDS)
    begun = time.monotonic()
    try:
        client.health()
        seconds = time.monotonic() - begun
        version = str(client.handshake().get("version", ""))
        client.jobs(limit=1)  # the first call that the version of this program is compared for
    except ClientError as error:
        return None, [*findings, _refusal(error)]
    slow = f" It took {seconds:.1f} s to answer." if seconds > SLOW_SECONDS else ""
    remedy = "The network or the machine is busy; takes will be slow to arrive." if slow else ""
    daemon = Finding("daemon", None if slow else True, f"Retake {version} answers at {connection.address}.{slow}", remedy)
    return client, [*findings, daemon, Finding("token", True, "The token is accepted."), Finding("version", True, "The versions fit.")]


def _refusal(error: ClientError) -> Finding:
    names = {Problem.WRONG_TOKEN: "token", Problem.VERSION: "version", Problem.UNSAFE: "connection", Problem.NOT_ALLOWED: "connection"}
    return Finding(names.get(problem_of(error), "daemon"), False, error.cause, error.remedy)


def _daemon(client: Client) -> list[Finding]:
    findings: list[Finding] = []
    try:
        workers = client.ready().get("workers") or ()
        count = len(workers)
        findings.append(Finding("workers", True, f"{count} {'renders' if count == 1 else 'render'}." if count else "Something renders."))
    except ClientError as error:
        problem = problem_of(error)
        findings.append(Finding("workers", False, problem.sentence if problem is Problem.NO_WORKER else error.cause, problem.remedy))
    try:
        names = [str(speaker["name"]) for speaker in client.speakers()]
        if names:
            findings.append(Finding("speakers", True, f"{', '.join(names[:10])}{' ...' if len(names) > 10 else ''}."))
        else:
            findings.append(Finding("speakers", None, "Nobody is enrolled yet.", "Enrol a speaker from a reference video."))
    except ClientError as error:
        findings.append(Finding("speakers", None, error.cause, error.remedy))
    findings += _clock(client)
    return findings


def _clock(client: Client) -> list[Finding]:
    """Whether this machine's clock is that of the daemon's machine."""
    try:
        with client.transport.open("GET", "/v1/health") as answer:
            date = answer.header("Date")
        apart = abs(time.time() - parsedate_to_datetime(date).timestamp())
    except (ClientError, TypeError, ValueError):
        return []  # it does not say
    if apart > CLOCK_SECONDS:
        return [Finding("clock", None, f"This machine's clock and the daemon's are {apart:.0f} s apart.", "Set both by the network's time.")]
    return [Finding("clock", True, "The clocks agree.")]


def _paths(settings: SessionSettings, client: Client | None) -> list[Finding]:
    """Whether the folders of the path map are there."""
    findings: list[Finding] = []
    for remote, local in settings.paths.pairs:
        if not Path(local).is_dir():
            findings.append(
                Finding("path map", False, f"{local}, which stands for {remote}, is not there.", "Connect the share, or correct the path map.")
            )
        else:
            findings.append(Finding("path map", True, f"{local} stands for {remote}."))
    if client is not None and not runs_here(client) and not settings.paths:
        sentence = "The daemon is on another machine and no folder is shared, so takes are downloaded."
        findings.append(Finding("path map", None, sentence, "Share a folder and enter it in the path map, if copies are not wanted."))
    return findings


def _folder(settings: SessionSettings) -> Finding:
    """Whether takes can be put where they are wanted."""
    if not settings.folder:
        return Finding("folder", None, "No folder for takes is set.", "Save the project, or set a folder in the preferences.")
    folder = Path(settings.folder)
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".retake-doctor-"):
            pass
        free = shutil.disk_usage(place).free
    except OSError as error:
        sentence = f"Takes cannot be written to {folder} ({error.strerror or type(error).__name__})."
        return Finding("folder", False, sentence, "Check its permissions, or choose another folder.")
    if free < LEAST_BYTES:
        return Finding("folder", None, f"There are {free / 1e6:.0f} MB left for {folder}.", "Free some space.")
    return Finding("folder", True, f"Takes go to {folder}{'' if place == folder else ', which will be made'}.")
