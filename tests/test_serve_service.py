"""Services of the three systems: what is written says what was meant, whatever is in a path."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from retake import cli, service
from retake.domain.errors import RetakeError

AWKWARD = '/media/My Disk/50% off/it\'s "new" $HOME\\x/ünï'
OPTIONS = ["--port", "7500", "--cert", AWKWARD]
SPACE = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def words_of(line: str) -> list[str]:
    """A command line of a unit file as systemd reads it (systemd.syntax, "Quoting"; systemd.service, "Command lines")."""
    words: list[str] = []
    word = ""
    inside = False
    letters = iter(line)
    for letter in letters:
        if letter == '"':
            inside = not inside
            if not inside:
                words.append(word.replace("%%", "%").replace("$$", "$"))
                word = ""
        elif letter == "\\":
            word += next(letters)
        elif inside:
            word += letter
    assert not inside
    return words


def unit(tmp_path: Path) -> service.Service:
    return service.systemd_unit(OPTIONS, environment={"RETAKE_HOME": AWKWARD}, units=tmp_path / "systemd" / "user")


def test_the_unit_starts_this_installation(tmp_path: Path) -> None:
    lines = dict(line.split("=", 1) for line in unit(tmp_path).content.decode().splitlines() if "=" in line and not line.startswith("#"))
    assert words_of(lines["ExecStart"]) == [sys.executable, "-m", "retake", "serve", *OPTIONS]
    assert words_of(lines["Environment"].replace("$", "$$")) == [f"RETAKE_HOME={AWKWARD}"]
    assert lines["Restart"] == "on-failure"
    assert "UMask" not in lines, "takes are delivered to others' folders as retake serve does; the home folder is for its owner alone"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    made = service.systemd_unit(OPTIONS, environment={"RETAKE_HOME": AWKWARD}, units=tmp_path)
    made.path.write_bytes(made.content)
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(made.path)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert [line for line in done.stderr.splitlines() if "retake" in line] == []
    if done.returncode != 0:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()[:200]}")


@pytest.mark.parametrize("letter", ["\n", "\r", "\0"])
def test_a_line_break_cannot_smuggle_a_setting_in(letter: str, tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        service.systemd_unit([], environment={"RETAKE_HOME": f"/a{letter}ExecStartPre=/bin/false"}, units=tmp_path)
    assert caught.value.code == "bad_path"


def test_the_agent(tmp_path: Path) -> None:
    made = service.launchd_agent(Path(AWKWARD), OPTIONS, environment={"RETAKE_HOME": AWKWARD}, agents=tmp_path, user=501)
    content = plistlib.loads(made.content)
    assert content["Label"] == made.path.stem == service.LABEL
    assert content["ProgramArguments"] == [sys.executable, "-m", "retake", "serve", *OPTIONS]
    assert content["EnvironmentVariables"] == {"RETAKE_HOME": AWKWARD}
    assert content["KeepAlive"] == {"SuccessfulExit": False}
    assert "Umask" not in content
    assert made.enable == [["launchctl", "bootstrap", "gui/501", str(made.path)]]


def test_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERDOMAIN", "STUDIO & SONS")
    monkeypatch.setenv("USERNAME", "anna <k>")
    home = Path("/Users/anna k/Retake & co")
    made = service.windows_task(home, OPTIONS)
    root = ElementTree.fromstring(made.content.decode("utf-16"))
    assert root.findtext(".//t:Principal/t:UserId", namespaces=SPACE) == "STUDIO & SONS\\anna <k>"
    assert root.findtext(".//t:RunLevel", namespaces=SPACE) == "LeastPrivilege"
    assert root.findtext(".//t:ExecutionTimeLimit", namespaces=SPACE) == "PT0S"
    assert root.findtext(".//t:Exec/t:WorkingDirectory", namespaces=SPACE) == str(home)
    arguments = root.findtext(".//t:Exec/t:Arguments", namespaces=SPACE)
    assert arguments == subprocess.list2cmdline(["-m", "retake", "serve", *OPTIONS, "--home", str(home)])
    assert made.content.startswith((b"\xff\xfe", b"\xfe\xff"))  # schtasks wants UTF-16


def test_only_what_is_needed_of_the_environment_is_kept() -> None:
    given = {"RETAKE_FACE_LANDMARKER": "/m.task", "RETAKE_DATABASE": "postgresql://a:secret@b/c", "PATH": "/bin", "CUDA_VISIBLE_DEVICES": ""}
    assert service.kept_environment(Path("/home/r"), given) == {"RETAKE_HOME": "/home/r", "RETAKE_FACE_LANDMARKER": "/m.task"}


def fake(tmp_path: Path, name: str, code: int) -> Path:
    """A command that notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/calls"\necho "no bus" >&2\nexit {code}\n', encoding="utf-8")
    path.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the commands in its place are shell scripts")
@pytest.mark.parametrize("code", [0, 1])
def test_install_and_uninstall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    made = unit(tmp_path)
    monkeypatch.setenv("PATH", str(fake(tmp_path, "systemctl", code)))
    assert f"Wrote {made.path}." in service.install(made)
    assert made.path.read_bytes() == made.content
    assert not (tmp_path / "calls").exists()  # nothing is begun without being asked for
    if code == 0:
        service.install(made, enable=True)
        assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == ["--user daemon-reload", "--user enable --now retake.service"]
    else:
        with pytest.raises(RetakeError) as caught:
            service.install(made, enable=True)
        assert caught.value.code == "service_failed"
        assert "no bus" in caught.value.cause
    lines = service.uninstall(made)
    assert any("failed: no bus" in line for line in lines) == (code != 0)
    assert not made.path.exists()
    assert "does not exist" in service.uninstall(made)[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of this system's service")
def test_dry_run_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    assert cli.run(["serve", "--install", "--dry-run", "--port", "7500"]) == 0
    shown = capsys.readouterr().out
    assert '"--port" "7500"' in shown
    assert "systemctl --user enable" in shown
    assert cli.run(["serve", "--uninstall", "--dry-run"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert cli.run(["serve", "--install", "--uninstall"]) == 3
    assert cli.run(["serve", "--install"]) == 0
    assert (tmp_path / "configuration" / "systemd" / "user" / "retake.service").is_file()
