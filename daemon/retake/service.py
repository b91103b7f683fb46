"""Let the system start the daemon with the user's session: a user unit for systemd, an agent for launchd, a task for Windows."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from retake.domain.errors import ErrorKind, RetakeError

UNIT = "retake.service"
LABEL = "studio.retake.daemon"
TASK = "Retake"
# Of the environment a service starts with nothing; what the user has set for Retake is kept. Not the database: its address may hold a password.
KEPT_VARIABLES = ("RETAKE_FACE_LANDMARKER", "CUDA_VISIBLE_DEVICES")
STOP_SECONDS = 15
_TASK_SPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True)
class Service:
    """A service of one of the three kinds.

    path: where its description is kept; content: that description.
    enable, disable: commands that make the system use it, or not any more.
    """

    kind: str
    path: Path
    content: bytes
    enable: list[list[str]]
    disable: list[list[str]]
    notes: list[str] = field(default_factory=list)


def for_this_machine(home: Path, options: Sequence[str] = ()) -> Service:
    """The service for the system that this runs on; raises RetakeError (no_service) where there is none of the three."""
    if sys.platform == "win32":
        return windows_task(home, options)
    environment = kept_environment(home, os.environ)
    if sys.platform == "darwin":
        return launchd_agent(home, options, environment=environment, agents=Path.home() / "Library" / "LaunchAgents", user=os.getuid())
    if sys.platform.startswith("linux"):
        configuration = os.environ.get("XDG_CONFIG_HOME", "").strip()
        folder = (Path(configuration) if configuration else Path.home() / ".config") / "systemd" / "user"
        return systemd_unit(options, environment=environment, units=folder)
    raise RetakeError(
        f"Retake knows no services of {sys.platform}.", "Have your system run 'retake serve'.", kind=ErrorKind.ENVIRONMENT, code="no_service"
    )


def kept_environment(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that the service gets."""
    return {"RETAKE_HOME": str(home)} | {name: environment[name] for name in KEPT_VARIABLES if environment.get(name)}


def command(options: Sequence[str]) -> list[str]:
    """What starts the daemon: this Python, so that it is this installation."""
    return [sys.executable, "-m", "retake", "serve", *options]


def systemd_unit(options: Sequence[str], *, environment: Mapping[str, str], units: Path) -> Service:
    """A user unit: begins with the user's first session, is started again when it fails."""
    variables = "\n".join(f"Environment={unit_quoted(f'{name}={value}')}" for name, value in environment.items())
    arguments = " ".join(unit_quoted(part, command_line=True) for part in command(options))
    content = f"""# Written by 'retake serve --install'. Changes of your own belong into 'systemctl --user edit {UNIT}'.
[Unit]
Description=Retake render daemon
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={arguments}
{variables}
Restart=on-failure
RestartSec=5
# The daemon ends its workers itself; what is left after that is killed.
KillMode=mixed
TimeoutStopSec={STOP_SECONDS}
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""
    systemctl = ["systemctl", "--user"]
    return Service(
        "systemd",
        units / UNIT,
        content.encode("utf-8"),
        enable=[[*systemctl, "daemon-reload"], [*systemctl, "enable", "--now", UNIT]],
        disable=[[*systemctl, "disable", "--now", UNIT]],
        notes=["It runs while you are logged in; 'loginctl enable-linger' lets it run from the start of the machine."],
    )


def unit_quoted(text: str, *, command_line: bool = False) -> str:
    """`text` as one word of a unit file, whatever is in it. Raises RetakeError (bad_path) for line breaks, which no unit can hold."""
    if any(letter in text for letter in "\n\r\0"):
        raise RetakeError("A line break in a path cannot be written into a service.", "Rename that folder.", code="bad_path")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if command_line:
        quoted = quoted.replace("$", "$$")
    return f'"{quoted}"'


def launchd_agent(home: Path, options: Sequence[str], *, environment: Mapping[str, str], agents: Path, user: int) -> Service:
    """An agent of the user: begins with the session, is started again when it fails."""
    path = agents / f"{LABEL}.plist"
    log = str(home / "logs" / "service.log")
    content = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": command(options),
            "EnvironmentVariables": dict(environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": STOP_SECONDS,
            "ProcessType": "Standard",  # "Background" would slow down renders
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
    )
    return Service(
        "launchd",
        path,
        content,
        enable=[["launchctl", "bootstrap", f"gui/{user}", str(path)]],
        disable=[["launchctl", "bootout", f"gui/{user}/{LABEL}"]],
    )


def windows_task(home: Path, options: Sequence[str]) -> Service:
    """A task of the Task Scheduler that begins when the user logs on."""
    program, *arguments = command([*options, "--home", str(home)])  # tasks have no environment of their own
    windowless = Path(program).with_name("pythonw.exe")
    user = f"{os.environ.get('USERDOMAIN', '.')}\\{os.environ.get('USERNAME', '')}"
    ElementTree.register_namespace("", _TASK_SPACE)
    task = ElementTree.Element(f"{{{_TASK_SPACE}}}Task", version="1.2")
    _add(task, "RegistrationInfo", {"Description": "Retake render daemon", "URI": f"\\{TASK}"})
    _add(_add(task, "Triggers", {}), "LogonTrigger", {"Enabled": "true", "UserId": user})
    principal = _add(_add(task, "Principals", {}), "Principal", {"UserId": user, "LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"})
    principal.set("id", "Author")
    settings = {
        "MultipleInstancesPolicy": "IgnoreNew",
        "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false",
        "StartWhenAvailable": "true",
        "ExecutionTimeLimit": "PT0S",  # without it a task is ended after three days
        "Priority": "5",  # usual tasks run below normal, and their children with them
    }
    _add(_add(task, "Settings", settings), "RestartOnFailure", {"Interval": "PT1M", "Count": "5"})
    actions = _add(task, "Actions", {})
    actions.set("Context", "Author")
    _add(
        actions,
        "Exec",
        {
            "Command": str(windowless if windowless.exists() else program),
            "Arguments": subprocess.list2cmdline(arguments),
            "WorkingDirectory": str(home),
        },
    )
    text = '<?xml version="1.0" encoding="UTF-16"?>\n' + ElementTree.tostring(task, encoding="unicode") + "\n"
    path = home / "service" / "task.xml"
    return Service(
        "windows",
        path,
        text.encode("utf-16"),
        enable=[["schtasks", "/Create", "/TN", TASK, "/XML", str(path), "/F"], ["schtasks", "/Run", "/TN", TASK]],
        disable=[["schtasks", "/End", "/TN", TASK], ["schtasks", "/Delete", "/TN", TASK, "/F"]],
    )


def install(service: Service, *, enable: bool = False, dry_run: bool = False) -> list[str]:
    """Write the service; returns what to tell the user.

    Args:
        enable: also run the commands that make the system use it.
        dry_run: only tell.

    Raises RetakeError (service_failed, no_folder, not_writable, ...).
    """
    if dry_run:
        encoding = "utf-16" if service.kind == "windows" else "utf-8"
        return [f"Would write {service.path}:", "", *service.content.decode(encoding).splitlines(), "", "Then to run:", *_shown(service.enable)]
    _write(service)
    lines = [f"Wrote {service.path}."]
    if not enable:
        return [*lines, "To begin with it:", *_shown(service.enable), *service.notes]
    for arguments in service.enable:
        problem = _run(arguments)
        if problem:
            raise RetakeError(
                f"'{_joined(arguments)}' failed: {problem}.",
                "The service is written; run the command yourself, or 'retake serve' without a service.",
                kind=ErrorKind.ENVIRONMENT,
                code="service_failed",
            )
        lines.append(f"Ran {_joined(arguments)}.")
    return [*lines, *service.notes]


def uninstall(service: Service, *, dry_run: bool = False) -> list[str]:
    """End and remove the service; returns what to tell the user."""
    if dry_run:
        return ["Would run:", *_shown(service.disable), f"and remove {service.path}."]
    if not service.path.exists():
        return [f"There is no service: {service.path} does not exist."]
    lines: list[str] = []
    for arguments in service.disable:
        problem = _run(arguments)
        lines.append(f"'{_joined(arguments)}' failed: {problem}." if problem else f"Ran {_joined(arguments)}.")
    try:
        service.path.unlink()
    except OSError as error:
        from retake.media.files import explain_os_error

        raise explain_os_error(error, service.path) from error
    return [*lines, f"Removed {service.path}."]


def _add(parent: ElementTree.Element, name: str, texts: Mapping[str, str]) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{_TASK_SPACE}}}{name}")
    for child, text in texts.items():
        ElementTree.SubElement(element, f"{{{_TASK_SPACE}}}{child}").text = text
    return element


def _write(service: Service) -> None:
    from retake.media.files import atomic_bytes, explain_os_error

    try:
        service.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_os_error(error, service.path) from error
    atomic_bytes(service.path, service.content)


def _run(arguments: Sequence[str]) -> str:
    """Run a command; returns what went wrong, "" if nothing did."""
    program = shutil.which(arguments[0])
    if program is None:
        return f"{arguments[0]} is not installed"
    try:
        done = subprocess.run([program, *arguments[1:]], capture_output=True, text=True, errors="replace", timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__
    if done.returncode == 0:
        return ""
    said = " ".join((done.stderr or done.stdout).split())
    return said[:300].rstrip(".") or f"exit code {done.returncode}"


def _shown(commands: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {_joined(arguments)}" for arguments in commands]


def _joined(arguments: Sequence[str]) -> str:
    """A command line as the user would type it."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(arguments)
    import shlex

    return shlex.join(arguments)
