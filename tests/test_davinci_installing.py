"""`retake install davinci`: what is written, what is left alone, and that exactly this goes again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import retake_client
import retake_davinci
from retake.cli import run
from retake_davinci import bridge, doctor, installing
from retake_davinci.errors import EditorError

SOURCES = {"retake_client": Path(retake_client.__file__).parent, "retake_davinci": Path(retake_davinci.__file__).parent}
UTF8 = {**os.environ, "PYTHONIOENCODING": "utf-8"}
FORBIDDEN = '<>:"/\\|?*'  # in names of files, on one system or another


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def fusion(tmp_path: Path) -> Path:
    """Resolve's folder; it does not exist yet."""
    return tmp_path / "Resolve data" / "Fusion"


def test_scripts_are_listed_and_modules_are_not(fusion: Path) -> None:
    installing.install(fusion, SOURCES)
    listed = sorted(path.name for path in (fusion / "Scripts").rglob("*") if path.is_file())
    assert listed == sorted(installing.SCRIPTS)
    assert all(not set(name) & set(FORBIDDEN) for name in listed)
    folder = next(path for path in (fusion / "Modules" / "Retake").iterdir() if path.is_dir())
    for name, source in SOURCES.items():
        assert {path.name: path.read_bytes() for path in (folder / name).glob("*.py")} == {
            path.name: path.read_bytes() for path in source.glob("*.py")
        }
    assert installing.installed_version(fusion) == retake_davinci.__version__


def test_uninstalling_leaves_what_was_there(fusion: Path) -> None:
    theirs = fusion / "Scripts" / "Utility" / "Theirs.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("print('theirs')\n", encoding="utf-8")
    (fusion / "Modules" / "Lua").mkdir(parents=True)
    (fusion / "Modules" / "Lua" / "theirs.lua").touch()
    before = tree(fusion)
    installing.install(fusion, SOURCES)
    installing.uninstall(fusion)
    assert tree(fusion) == before
    assert not (fusion / "Modules" / "Retake").exists()
    with pytest.raises(EditorError) as caught:
        installing.uninstall(fusion)
    assert caught.value.code == "not_installed"


def test_a_second_time_changes_nothing(fusion: Path) -> None:
    installing.install(fusion, SOURCES)
    before = tree(fusion)
    installing.install(fusion, SOURCES)
    assert tree(fusion) == before


def test_a_new_version_replaces_the_old_one(fusion: Path, tmp_path: Path) -> None:
    installing.install(fusion, SOURCES)
    newer = {name: tmp_path / "newer" / name for name in SOURCES}
    for name, source in SOURCES.items():
        newer[name].mkdir(parents=True)
        for path in source.glob("*.py"):
            (newer[name] / path.name).write_bytes(path.read_bytes() + (b"\n# newer\n" if path.name == "__init__.py" else b""))
    installing.install(fusion, newer)
    folders = [path for path in (fusion / "Modules" / "Retake").iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert (folders[0] / "retake_davinci" / "__init__.py").read_bytes().endswith(b"# newer\n")
    assert folders[0].name in (fusion / "Scripts" / "Utility" / "Retake.py").read_text(encoding="utf-8")


def test_damaged_modules_are_mended(fusion: Path) -> None:
    installing.install(fusion, SOURCES)
    before = tree(fusion)
    damaged = next((fusion / "Modules").rglob("main.py"))
    damaged.write_text("", encoding="utf-8")
    installing.install(fusion, SOURCES)
    assert tree(fusion) == before


def test_somebody_elses_file_is_not_overwritten(fusion: Path) -> None:
    theirs = fusion / "Scripts" / "Utility" / "Retake.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("print('theirs')\n", encoding="utf-8")
    with pytest.raises(EditorError) as caught:
        installing.install(fusion, SOURCES)
    assert caught.value.code == "would_overwrite"
    assert tree(fusion) == {"Scripts/Utility/Retake.py": b"print('theirs')\n"}


def test_what_was_changed_since_stays(fusion: Path) -> None:
    installing.install(fusion, SOURCES)
    script = fusion / "Scripts" / "Utility" / "Retake.py"
    script.write_text(script.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    plan = installing.uninstall(fusion)
    assert [str(script) in note for note in plan.kept] == [True]
    assert list(tree(fusion)) == ["Scripts/Utility/Retake.py"]


@pytest.mark.parametrize("name", ["../../outside.txt", "Scripts/Utility/Theirs.py", "Modules/Retake/../../../outside.txt", "Modules/Retake/x/y/z.py"])
def test_a_list_that_names_other_files_removes_nothing(fusion: Path, tmp_path: Path, name: str) -> None:
    import hashlib

    installing.install(fusion, SOURCES)
    victim = Path(os.path.normpath(fusion / name))
    victim.parent.mkdir(parents=True, exist_ok=True)
    victim.write_bytes(b"precious")
    manifest = fusion / "Modules" / "Retake" / installing.MANIFEST
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["files"][name] = hashlib.sha256(b"precious").hexdigest()
    manifest.write_text(json.dumps(content), encoding="utf-8")
    installing.uninstall(fusion)
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_cannot_be_written(fusion: Path) -> None:
    fusion.parent.mkdir(mode=0o500)
    with pytest.raises(EditorError) as caught:
        installing.install(fusion, SOURCES)
    assert caught.value.code == "not_writable"


def test_a_file_in_the_place_of_a_folder(fusion: Path) -> None:
    fusion.parent.mkdir()
    fusion.write_text("a file", encoding="utf-8")
    with pytest.raises(EditorError) as caught:
        installing.install(fusion, SOURCES)
    assert caught.value.code == "not_writable" and caught.value.remedy


def test_folders_of_each_system(tmp_path: Path) -> None:
    assert installing.default_folder("win32", {"APPDATA": "D:/Roaming"}).as_posix().endswith("DaVinci Resolve/Support/Fusion")
    assert installing.default_folder("darwin", {}).as_posix().endswith("Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion")
    assert installing.default_folder("linux", {"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "DaVinciResolve" / "Fusion"


@pytest.mark.parametrize("script", installing.SCRIPTS)
def test_installed_scripts_run_and_say_what_is_missing(fusion: Path, script: str, tmp_path: Path) -> None:
    """Outside of Resolve, with nothing of ours to import but what was installed: cause and remedy, no traceback, no files left behind."""
    installing.install(fusion, SOURCES)
    before = tree(fusion)
    path = fusion / "Scripts" / "Utility" / script
    environment = {"RETAKE_HOME": str(tmp_path / "home"), "PATH": os.environ.get("PATH", ""), "RESOLVE_SCRIPT_API": str(tmp_path / "nothing")}
    done = subprocess.run([sys.executable, "-S", str(path)], capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    assert "RESOLVE_SCRIPT_API" in done.stdout and "->" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert tree(fusion) == before


def test_scripts_find_modules_in_a_folder_that_was_moved(fusion: Path, tmp_path: Path) -> None:
    installing.install(fusion, SOURCES)
    moved = fusion.rename(tmp_path / "Fusion")
    environment = {"RETAKE_HOME": str(tmp_path / "home"), "RESOLVE_SCRIPT_API": str(tmp_path / "nothing")}
    path = moved / "Scripts" / "Utility" / "Retake.py"
    done = subprocess.run([sys.executable, "-S", str(path)], capture_output=True, text=True, timeout=600, check=False, env=environment)
    assert "RESOLVE_SCRIPT_API" in done.stdout, done.stderr


def test_on_the_command_line(fusion: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install", "davinci", "--folder", str(fusion), "--dry-run"]) == 0
    assert "Would write" in capsys.readouterr().out and not fusion.exists()
    assert run(["install", "davinci", "--folder", str(fusion)]) == 0
    said = capsys.readouterr().out
    assert "Local" in said and "Studio" in said and "Python" in said
    assert run(["install", "davinci", "--folder", str(fusion), "--uninstall", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["removed"]) > len(installing.SCRIPTS) and tree(fusion) == {}
    assert run(["install", "davinci", "--folder", str(fusion), "--uninstall"]) != 0
    assert "not installed" in capsys.readouterr().err


def test_check_on_the_command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESOLVE_SCRIPT_API", str(tmp_path))
    assert run(["install", "davinci", "--check"]) != 0
    assert "FAILED" in capsys.readouterr().out
    assert run(["install", "davinci", "--check", "--json"]) != 0
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize("name", ["Resolve data", "Schnitt für Zoë", "映像 'q' \\ b"])
def test_folders_of_any_name(tmp_path: Path, name: str) -> None:
    """The scripts find their modules, and what was installed goes again."""
    fusion = tmp_path / name / "Fusion"
    installing.install(fusion, SOURCES)
    script = fusion / "Scripts" / "Utility" / "Retake.py"
    code = "import runpy, sys; sys.modules['retake_davinci.main'] = m = type(sys)('m'); m.main = lambda task, names: print(task, sys.path[0]) or 0\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "runpy.run_path(sys.argv[1])", str(script)], capture_output=True, timeout=600, check=True, env=UTF8
    )
    task, _, folder = done.stdout.decode("utf-8").strip().partition(" ")
    assert task == "window" and Path(folder).is_relative_to(fusion) and (Path(folder) / "retake_davinci" / "main.py").is_file()
    installing.uninstall(fusion)
    assert tree(fusion) == {}


def test_a_folder_that_is_a_link(tmp_path: Path) -> None:
    """Some keep Resolve's folder on another drive: the link stays, and nothing beside it is touched."""
    real = tmp_path / "other drive" / "Fusion"
    real.mkdir(parents=True)
    (real / "theirs.txt").touch()
    link = tmp_path / "Fusion"
    link.symlink_to(real, target_is_directory=True)
    installing.install(link, SOURCES)
    assert (real / "Scripts" / "Utility" / "Retake.py").is_file()
    installing.uninstall(link)
    assert link.is_symlink() and list(tree(real)) == ["theirs.txt"]


def test_a_script_that_is_a_link_is_replaced_and_its_target_stays(fusion: Path, tmp_path: Path) -> None:
    installing.install(fusion, SOURCES)
    script = fusion / "Scripts" / "Utility" / "Retake.py"
    elsewhere = tmp_path / "mine.py"
    elsewhere.write_bytes(script.read_bytes())
    script.unlink()
    script.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    elsewhere.write_bytes(before + b"# mine\n")
    installing.install(fusion, SOURCES)
    assert not script.is_symlink() and elsewhere.read_bytes() == before + b"# mine\n"


def test_a_changed_script_is_kept_when_a_version_is_installed_over_it(fusion: Path) -> None:
    """Under a name that Resolve does not list; twice changed, twice kept."""
    installing.install(fusion, SOURCES)
    script = fusion / "Scripts" / "Utility" / "Retake.py"
    as_written = script.read_bytes()
    for number, name in enumerate(("Retake.py.changed", "Retake.py.changed2")):
        mine = as_written + b"# mine %d\n" % number
        script.write_bytes(mine)
        plan = installing.install(fusion, SOURCES)
        assert script.read_bytes() == as_written
        assert script.with_name(name).read_bytes() == mine
        assert [name in note for note in plan.kept] == [True]
    assert installing.install(fusion, SOURCES).kept == []
    installing.uninstall(fusion)
    assert sorted(tree(fusion)) == ["Scripts/Utility/Retake.py.changed", "Scripts/Utility/Retake.py.changed2"]


def test_the_check_looks_at_what_is_installed(fusion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing is one sentence with a remedy, and no cause is told twice."""
    nothing = bridge.Places(tmp_path / "no", tmp_path / "no.so")

    def scripts() -> doctor.Finding:
        findings = doctor.examine(tmp_path / "home", found=nothing, fusion=fusion)
        assert len({finding.name for finding in findings}) == len({finding.sentence for finding in findings}) == len(findings)
        for finding in findings:
            assert finding.sentence.endswith(".") and (finding.ok is True or finding.remedy.endswith("."))
        return next(finding for finding in findings if finding.name == "scripts")

    assert scripts().ok is False and "--folder" in scripts().remedy
    installing.install(fusion, SOURCES)
    assert scripts().ok is True
    script = fusion / "Scripts" / "Utility" / "Retake.py"
    script.write_bytes(b"# mine\n")
    assert scripts().ok is None and "1 of the installed files" in scripts().sentence
    script.unlink()
    assert scripts().ok is False and "missing" in scripts().sentence
    installing.install(fusion, SOURCES)
    monkeypatch.setattr(doctor, "__version__", "9.0.0")
    assert scripts().ok is None and "9.0.0" in scripts().sentence
