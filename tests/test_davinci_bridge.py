"""The way into Resolve: places per system, what is said when it cannot be reached, and the free edition, which is asked nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest
from davinci_samples import synthetic_stage
from resolve.double import World, stage

from retake_davinci import bridge, doctor, main, media_folder
from retake_davinci.errors import EditorError

SCRIPTAPP = "def scriptapp(name):\n    return {answer}\n"


def fake_places(folder: Path, text: str) -> bridge.Places:
    (folder / "Modules").mkdir(parents=True)
    (folder / "Modules" / f"{bridge.MODULE}.py").write_text(text, encoding="utf-8")
    (folder / "fusionscript.so").touch()
    return bridge.Places(folder / "Modules", folder / "fusionscript.so")


@pytest.fixture
def clean_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, bridge.MODULE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(bridge.LIBRARY_VARIABLE, "")


def test_places_of_each_system() -> None:
    windows = bridge.places("win32", {"PROGRAMDATA": r"D:\Data", "PROGRAMFILES": r"D:\Programs"})
    assert windows.library == PureWindowsPath(r"D:\Programs\Blackmagic Design\DaVinci Resolve\fusionscript.dll")
    assert windows.modules == PureWindowsPath(r"D:\Data\Blackmagic Design\DaVinci Resolve\Support\Developer\Scripting\Modules")
    assert str(bridge.places("darwin", {}).library).endswith("Contents/Libraries/Fusion/fusionscript.so")
    assert str(bridge.places("linux", {}).modules) == "/opt/resolve/Developer/Scripting/Modules"
    named = bridge.places("linux", {bridge.API_VARIABLE: "/elsewhere", bridge.LIBRARY_VARIABLE: "/lib/f.so"})
    assert (str(named.modules), str(named.library)) == ("/elsewhere/Modules", "/lib/f.so")


def test_what_resolve_gave_is_used() -> None:
    host = bridge.connect(synthetic_stage().resolve)
    assert host.studio and host.name == "DaVinci Resolve Studio 21.0.0"


def test_the_free_edition_is_asked_for_its_name_and_nothing_else() -> None:
    on = stage("24", World(product="DaVinci Resolve", version=(21, 1, 0)))
    with pytest.raises(EditorError) as caught:
        bridge.connect(on.resolve)
    assert caught.value.code == "free_edition" and "by files" in caught.value.remedy
    assert set(on.world.calls) == {"Resolve.GetProductName", "Resolve.GetVersion"}


@pytest.mark.parametrize("task", main.TASKS)
def test_no_script_opens_a_dialog_on_the_free_edition(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path))
    on = stage("24", World(product="DaVinci Resolve"))
    said: list[str] = []
    assert main.main(task, {"resolve": on.resolve}, say=said.append) == 1
    assert "free edition" in " ".join(said).lower() or "way by files" in " ".join(said)
    assert set(on.world.calls) == {"Resolve.GetProductName", "Resolve.GetVersion"}


def test_an_old_version() -> None:
    with pytest.raises(EditorError) as caught:
        bridge.connect(stage("24", World(version=(17, 4, 6))).resolve)
    assert caught.value.code == "old_version"


def test_nothing_is_installed(tmp_path: Path) -> None:
    with pytest.raises(EditorError) as caught:
        bridge.connect(found=bridge.Places(tmp_path / "Modules", tmp_path / "fusionscript.so"))
    assert caught.value.code == "api_missing" and bridge.API_VARIABLE in caught.value.remedy


@pytest.mark.usefixtures("clean_import")
def test_resolve_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(EditorError) as caught:
        bridge.connect(found=fake_places(tmp_path, SCRIPTAPP.format(answer="None")))
    assert caught.value.code == "not_running" and "Local" in caught.value.remedy


@pytest.mark.usefixtures("clean_import")
def test_a_resolve_that_is_ending_answers_none(tmp_path: Path) -> None:
    text = "class _Ending:\n    def __getattr__(self, name):\n        return None\n" + SCRIPTAPP.format(answer="_Ending()")
    with pytest.raises(EditorError) as caught:
        bridge.connect(found=fake_places(tmp_path, text))
    assert caught.value.code == "not_running"


@pytest.mark.usefixtures("clean_import")
@pytest.mark.parametrize("careful", [True, False])
def test_a_library_of_another_python(tmp_path: Path, careful: bool) -> None:
    found = fake_places(tmp_path, "raise ImportError('DLL load failed')\n")
    with pytest.raises(EditorError) as caught:
        bridge.connect(found=found, careful=careful)
    assert caught.value.code == "wrong_python" and "DLL load failed" in caught.value.cause


@pytest.mark.usefixtures("clean_import")
def test_a_library_that_crashes_does_not_take_us_along(tmp_path: Path) -> None:
    found = fake_places(tmp_path, "import os\nos.abort()\n")
    with pytest.raises(EditorError) as caught:
        bridge.connect(found=found, careful=True)
    assert caught.value.code == "wrong_python"


def test_a_library_that_hangs_is_given_up(tmp_path: Path) -> None:
    found = fake_places(tmp_path, "import time\ntime.sleep(60)\n")
    assert "timed out" in bridge.probe(found, seconds=1.0)


def test_the_doctor_names_each_cause(tmp_path: Path) -> None:
    def findings(**more: object) -> dict[str, doctor.Finding]:
        return {finding.name: finding for finding in doctor.examine(tmp_path / "home", **more)}  # type: ignore[arg-type]

    (tmp_path / "home").mkdir()
    missing = findings(found=bridge.Places(tmp_path / "no", tmp_path / "no.so"))
    assert missing["DaVinci Resolve"].ok is False and missing["DaVinci Resolve"].remedy and "scripting interface" not in missing
    broken = findings(found=fake_places(tmp_path / "broken", "raise ImportError('DLL load failed')\n"))
    assert "DLL load failed" in broken["scripting interface"].sentence
    good = findings(given=synthetic_stage().resolve)
    assert good["DaVinci Resolve"].ok is True and "21.0.0" in good["DaVinci Resolve"].sentence
    free = findings(given=stage("24", World(product="DaVinci Resolve")).resolve)
    assert free["DaVinci Resolve"].ok is False and free["DaVinci Resolve"].remedy
    (tmp_path / "home" / "davinci.json").write_text('{"conform": "stretch"}', encoding="utf-8")
    bad = findings(given=synthetic_stage().resolve)
    assert bad["settings"].ok is False and "conform" in bad["settings"].sentence
    text = "\n".join(doctor.text_of(list(bad.values())))
    assert "FAILED" in text and "->" in text


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "[]",
        '{"copy": 1}',
        '{"speakr": "anna"}',
        '{"handles": "4"}',
        '{"handles": -1}',
        '{"handles": true}',
        '{"width": 320}',
        '{"width": 321, "height": 200}',
        '{"folder": "takes"}',
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, content: str) -> None:
    from retake_davinci.settings import load

    (tmp_path / "davinci.json").write_text(content, encoding="utf-8")
    with pytest.raises(EditorError) as caught:
        load(tmp_path)
    assert caught.value.code == "bad_settings" and "davinci.json" in caught.value.cause


def test_settings(tmp_path: Path) -> None:
    from retake_davinci.settings import Settings, load

    assert load(tmp_path) == Settings()
    (tmp_path / "token").write_text("secret\n", encoding="ascii")
    content = (
        f'{{"address": "http://render-box:7420", "token_file": "{(tmp_path / "token").as_posix()}", "paths": "Z:/retake=/mnt/retake", "handles": 8}}'
    )
    (tmp_path / "davinci.json").write_text(content, encoding="utf-8")
    session = load(tmp_path).session(tmp_path, tmp_path)
    assert (session.address, session.token, session.name) == ("http://render-box:7420", "secret", "davinci")
    assert "secret" not in repr(session) and "secret" not in repr(load(tmp_path))
    (tmp_path / "token").unlink()
    with pytest.raises(EditorError) as caught:
        load(tmp_path).session(tmp_path, tmp_path)
    assert caught.value.code == "bad_settings"


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("Film", "Film"),
        ("A/B: \\x?", "A_B_ _x_"),
        ("Größe 映画", "Größe 映画"),
        ("..", "_"),
        ("", "_"),
        ("con", "_con"),
        ("NUL.mov", "_NUL.mov"),
        ("a. ", "a"),
    ],
)
def test_a_projects_folder_has_a_name_that_every_system_takes(project: str, name: str) -> None:
    assert media_folder.safe_name(project) == name
    assert len(media_folder.safe_name(project * 100).encode()) <= 121


def test_where_videos_are(tmp_path: Path) -> None:
    assert media_folder.videos_folder("darwin", {}, tmp_path) == tmp_path / "Movies"
    assert media_folder.videos_folder("win32", {}, tmp_path) == tmp_path / "Videos"
    assert media_folder.videos_folder("linux", {}, tmp_path) == tmp_path / "Videos"
    (tmp_path / ".config").mkdir()
    for line, folder in (
        ('XDG_VIDEOS_DIR="$HOME/Filme"', tmp_path / "Filme"),
        ('# XDG_VIDEOS_DIR="/x"\nXDG_VIDEOS_DIR="/srv/video"', Path("/srv/video")),
        ('XDG_VIDEOS_DIR="$HOME/"', tmp_path / "Videos"),
        ('XDG_VIDEOS_DIR="relative"', tmp_path / "Videos"),
    ):
        (tmp_path / ".config" / "user-dirs.dirs").write_text(f"{line}\n", encoding="utf-8")
        assert media_folder.videos_folder("linux", {}, tmp_path) == folder
    assert media_folder.videos_folder("linux", {"XDG_CONFIG_HOME": str(tmp_path / "other")}, tmp_path) == tmp_path / "Videos"


def test_an_error_of_our_own_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path))
    on = synthetic_stage()
    monkeypatch.setattr(type(on.resolve._impl), "GetProductName", lambda self: 1 / 0)
    said: list[str] = []
    assert main.main("fill", {"resolve": on.resolve}, say=said.append) == 70
    assert "ZeroDivisionError" not in " ".join(said)
    assert "ZeroDivisionError" in (tmp_path / "logs" / "davinci.log").read_text(encoding="utf-8")


def test_everything_parses_in_python_3_9() -> None:
    import ast

    import retake_davinci

    for path in Path(retake_davinci.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_nothing_of_resolve_is_imported_until_it_is_needed() -> None:
    code = f"import sys, retake_davinci.main; sys.exit({bridge.MODULE!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=600).returncode == 0
