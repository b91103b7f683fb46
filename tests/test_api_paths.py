"""Files that callers name: inside the roots or nowhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from api_samples import MAKE_LINKS, PRESENTER, client_of, make_context, upload
from hypothesis import given
from hypothesis import strategies as st

from retake.api.context import Context
from retake.api.paths import open_regular, resolve_input, resolve_output, resolve_spec, well_formed
from retake.domain.errors import RetakeError
from retake.domain.job import EnrolSpec, LineSpec, ScriptSpec, TimelineSpec
from retake.domain.take import TakeRequest
from retake.jobs import retention_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "sub").mkdir(parents=True)
    (folder / "talk.mp4").write_bytes(b"x")
    (folder / "sub" / "line.wav").write_bytes(b"x")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return folder


@pytest.fixture
def context(tmp_path: Path, root: Path) -> Context:
    return make_context(tmp_path / "home", server={"roots": [str(root)]})


def code(context: Context, value: str, *, output: bool = False) -> str:
    with pytest.raises(RetakeError) as caught:
        (resolve_output if output else resolve_input)(context, value)
    return caught.value.code


def test_files_inside_a_root(context: Context, root: Path) -> None:
    assert resolve_input(context, str(root / "talk.mp4")) == (root / "talk.mp4").resolve()
    assert resolve_input(context, str(root / "sub" / "." / "line.wav")) == (root / "sub" / "line.wav").resolve()
    assert resolve_output(context, str(root / "sub" / "new.mp4")) == (root / "sub" / "new.mp4").resolve()
    assert resolve_output(context, str(root / "talk.mp4")).is_file()
    assert resolve_output(context, str(root / "takes"), folder=True) == (root / "takes").resolve()
    assert resolve_output(context, str(root / "sub"), folder=True).is_dir()


@pytest.mark.parametrize("output", [False, True])
def test_everything_else_is_outside(context: Context, root: Path, tmp_path: Path, output: bool) -> None:
    values = [
        "", "talk.mp4", "./talk.mp4", "~/talk.mp4", "/", "//", "/etc/passwd", str(tmp_path / "secret.txt"), str(root), f"{root}/..",
        f"{root}/../secret.txt",
        f"{root}/sub/../talk.mp4", f"{root}x/talk.mp4", f"/{root}/talk.mp4", f"{root}/talk.mp4\0.wav", f"{root}/talk\n.mp4", f"{root}/" + "a/" * 3000,
        f"{root}/" + "a" * 300, "\\\\server\\share\\a.mp4", "//server/share/a.mp4", "\\\\?\\C:\\a.mp4", "C:\\a.mp4", "C:a.mp4", "file:///etc/passwd",
        "http://example.org/a.mp4", "concat:/etc/passwd|/etc/hosts", "/dev/zero", "/dev/stdin", "/proc/self/environ", "\ud800",
        "subfile,,start,0,,:/etc/passwd",
    ]  # fmt: skip
    for value in values:
        assert code(context, value, output=output) == "outside_roots", value


def test_what_is_outside_is_answered_the_same_whether_it_exists(context: Context, tmp_path: Path) -> None:
    answers = set()
    for name in ("secret.txt", "nothing.txt"):
        with pytest.raises(RetakeError) as caught:
            resolve_input(context, str(tmp_path / name))
        answers.add((caught.value.code, caught.value.remedy, caught.value.cause.replace(name, "")))
    assert len(answers) == 1
    assert "server.roots" in answers.pop()[1]


def test_no_roots_no_paths(tmp_path: Path, root: Path) -> None:
    assert code(make_context(tmp_path / "home"), str(root / "talk.mp4")) == "outside_roots"


def test_missing_files_and_folders(context: Context, root: Path) -> None:
    assert code(context, str(root / "nothing.mp4")) == "missing_file"
    assert code(context, str(root / "sub")) == "not_a_file"
    assert code(context, str(root / "talk.mp4" / "x.mp4")) == "missing_file"
    assert code(context, str(root / "none" / "new.mp4"), output=True) == "no_folder"
    assert code(context, str(root / "sub"), output=True) == "bad_output"
    with pytest.raises(RetakeError) as caught:
        resolve_output(context, str(root / "talk.mp4"), folder=True)
    assert caught.value.code == "bad_output"


@pytest.mark.skipif(not MAKE_LINKS, reason="this account may not make links")
def test_links_do_not_lead_out(context: Context, root: Path, tmp_path: Path) -> None:
    (root / "file.mp4").symlink_to(tmp_path / "secret.txt")
    (root / "folder").symlink_to(tmp_path)
    (root / "gone").symlink_to(tmp_path / "nothing")
    (root / "circle").symlink_to(root / "circle")
    (root / "fine.mp4").symlink_to(root / "talk.mp4")
    for name in ("file.mp4", "folder/secret.txt", "gone", "circle"):
        assert code(context, str(root / name)) in {"outside_roots", "missing_file" if name == "circle" else ""}, name
        assert code(context, str(root / name), output=True) in {"outside_roots", "bad_output" if name == "circle" else ""}, name
    assert code(context, str(root / "folder" / "new.mp4"), output=True) == "outside_roots"
    assert resolve_input(context, str(root / "fine.mp4")) == (root / "talk.mp4").resolve()


@pytest.mark.skipif(not MAKE_LINKS, reason="this account may not make links")
def test_a_root_that_is_a_link(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    context = make_context(tmp_path / "home", server={"roots": [str(tmp_path / "link"), "~nobody-at-all/x"]})
    for name in (tmp_path / "link" / "talk.mp4", root / "talk.mp4"):
        assert resolve_input(context, str(name)) == (root / "talk.mp4").resolve()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_are_no_files_and_nobody_waits_for_them(context: Context, root: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    assert code(context, str(root / "pipe.mp4")) == "not_a_file"
    assert code(context, str(root / "pipe.mp4"), output=True) == "bad_output"
    refused: list[str] = []

    def look() -> None:
        try:
            open_regular(root / "pipe.mp4", root)
        except RetakeError as error:
            refused.append(error.code)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(600)
    assert refused == ["missing_file"]


def test_the_home_folder_is_no_root(tmp_path: Path) -> None:
    context = make_context(tmp_path / "home", server={"roots": [str(tmp_path)]})
    (tmp_path / "home" / "webhook.key").write_text("secret", encoding="utf-8")
    (tmp_path / "talk.mp4").write_bytes(b"x")
    assert resolve_input(context, str(tmp_path / "talk.mp4"))
    for name in ("webhook.key", "settings.json", "speakers/anna/reference.mp4", "takes"):
        assert code(context, str(tmp_path / "home" / name)) == "outside_roots"
        assert code(context, str(tmp_path / "home" / name), output=True) == "outside_roots"


def test_an_upload_that_is_named_is_as_good_as_new(context: Context) -> None:
    path = resolve_input(context, upload(client_of(context), PRESENTER.read_bytes(), "talk.mp4"))
    for file in (path, path.with_name("upload.json")):
        os.utime(file, (1e9, 1e9))
    assert resolve_input(context, f"upload:{path.parent.name}", kind="media") == path
    # As whoever tidies sees it who looked at the jobs just before this one was there.
    assert retention_files.uploads(context.home, 2.0, "", retention_files.Remover()) == 0
    assert path.is_file()


def test_uploads_by_name(context: Context) -> None:
    client = client_of(context)
    reference = upload(client, PRESENTER.read_bytes(), "talk.mp4")
    assert resolve_input(context, reference, kind="media").read_bytes() == PRESENTER.read_bytes()
    with pytest.raises(RetakeError) as caught:
        resolve_input(context, reference, kind="timeline")
    assert caught.value.code == "wrong_upload"
    unfinished = client.post("/v1/uploads", json={"size": 10}).json()["reference"]
    assert code(context, unfinished) == "upload_unfinished"
    for value in ("upload:", "upload:../../settings.json", "upload:" + "0" * 32, "upload:" + "0" * 33, f"{reference}/../x"):
        assert code(context, value) == "unknown_upload", value
    assert code(context, reference, output=True) == "bad_output"


def test_all_files_of_a_job(context: Context, root: Path) -> None:
    inside, outside = str(root / "talk.mp4"), "/etc/passwd"
    line = TakeRequest(speaker="anna", audio=inside)
    specs = [
        EnrolSpec(reference=inside, name="anna", consent="yes"),
        LineSpec(request=line, output=str(root / "out.mp4")),
        ScriptSpec(requests=[line], output_folder=str(root / "out")),
        TimelineSpec(timeline=inside, output=str(root / "out.otio")),
    ]
    for spec in specs:
        resolved = resolve_spec(context, spec)
        assert type(resolved) is type(spec) and resolved == spec.model_validate(resolved.model_dump())
        content = spec.model_dump_json()
        for name in (inside, str(root / "out")):
            if name in content:
                with pytest.raises(RetakeError) as caught:
                    resolve_spec(context, spec.model_validate_json(content.replace(name, outside)))
                assert caught.value.code == "outside_roots", content


def test_what_windows_makes_of_names() -> None:
    good = ["C:\\media\\talk.mp4", "d:/media/talk 2.mp4", "C:\\a.b\\c"]
    bad = [
        "\\\\server\\share\\x", "//server/share/x", "\\\\?\\C:\\x", "\\\\.\\PhysicalDrive0", "C:x", "C:", "\\media\\x", "/media/x", "C:\\..\\x",
        "C:\\a\\..\\x",
        "C:\\media\\nul", "C:\\media\\NUL.mp4", "C:\\media\\com1 .txt", "C:\\aux\\x", "C:\\media\\talk.mp4:stream", "C:\\media\\x.", "C:\\media\\x ",
        "C:\\PROGRA~1\\x", "C:\\a\\b|c", "C:\\a\\CONIN$", "C:\\a\\b\0", "CC:\\a",
    ]  # fmt: skip
    assert all(well_formed(value, windows=True) for value in good)
    assert not [value for value in bad if well_formed(value, windows=True)]
    assert well_formed("/media/talk.mp4:stream", windows=False) and not well_formed("C:\\a", windows=False)


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("mixtures")
    (folder / "media" / "sub").mkdir(parents=True)
    return make_context(folder / "home", server={"roots": [str(folder / "media")]})


@given(st.lists(st.sampled_from(["..", ".", "", "sub", "talk.mp4", "~", "media", "\\..\\", "%2e%2e", "..."]), max_size=8), st.booleans())
def test_no_mixture_of_parts_leads_out(mixtures: Context, parts: list[str], output: bool) -> None:
    root = Path(mixtures.settings.server.roots[0])
    try:
        path = (resolve_output if output else resolve_input)(mixtures, "/".join([str(root), *parts]))
    except RetakeError:
        return
    assert path.is_relative_to(root.resolve()) and path != root.resolve()
