"""Installing engines: terms, environments, weights from a folder and from a server, interruptions, and the commands for it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock
from toy_engine import WEIGHTS, Toy, write_toy

from retake import cli
from retake.domain.errors import Cancelled, ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.install import install, remove, verify
from retake.engines.manifest import read_manifest

SHIPPED = sorted(path.stem for path in registry.SHIPPED.glob("*.toml"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RETAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return write_toy(tmp_path / "toy")


def code_of(home: Path, source: Path | None, **options: object) -> str:
    with pytest.raises(RetakeError) as caught:
        install(home, "toy", source=source, progress=Progress(), **options)  # type: ignore[arg-type]
    assert caught.value.remedy
    return caught.value.code


def test_shipped_manifests_are_sound() -> None:
    assert {"chatterbox", "pocket", "xtts"} <= set(SHIPPED)
    for name in SHIPPED:
        manifest = read_manifest(registry.SHIPPED / f"{name}.toml")
        assert manifest.licence.accept or manifest.licence.commercial_use, "who may not use it commercially has to know"
        assert manifest.weights and manifest.python.requirements and manifest.needs
        compile((registry.SHIPPED / manifest.adapter).read_text(encoding="utf-8"), manifest.adapter, "exec")


def test_from_a_folder_without_a_network(home: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    record = install(home, "toy", source=toy.folder, progress=Progress())
    engine = registry.ready_engine(home, "toy", "voice")
    assert engine.ready and engine.installed == record and (engine.weights / "formants.bin").read_bytes() == WEIGHTS
    [weight] = record.weights
    assert weight.known and weight.size == len(WEIGHTS) and record.accepted_at is None
    verify(engine, Progress())
    again = install(home, "toy", progress=Progress())  # complete: nothing is fetched
    assert again.weights == record.weights


def test_unknown_hashes_are_recorded_and_held_to(home: Path, toy: Toy) -> None:
    sha = read_manifest(toy.folder / "toy.toml").weights[0].sha256
    toy.rewrite("toy.toml", f'sha256 = "{sha}"', 'sha256 = ""')
    toy.rewrite("toy.toml", "size = 1280", "size = 0")
    [weight] = install(home, "toy", source=toy.folder, progress=Progress()).weights
    assert weight.sha256 == sha and not weight.known
    engine = registry.engine(home, "toy")
    (engine.weights / "formants.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(RetakeError) as caught:
        verify(engine, Progress())
    assert caught.value.code == "weights_damaged"
    assert install(home, "toy", source=toy.folder, progress=Progress()).weights[0].sha256 == sha  # made good again


def test_licences_are_accepted_and_the_acceptance_is_kept(home: Path, toy: Toy) -> None:
    toy.rewrite("toy.toml", "accept = false", "accept = true")
    with pytest.raises(RetakeError) as caught:
        install(home, "toy", source=toy.folder, progress=Progress())
    assert caught.value.kind is ErrorKind.REFUSED and "--accept-licence" in caught.value.remedy and "CC0-1.0" in caught.value.cause
    assert registry.engine(home, "toy").installed is None
    record = install(home, "toy", source=toy.folder, accept=True, account="anna", progress=Progress())
    assert record.accepted_by == "anna" and record.accepted_at is not None
    assert install(home, "toy", progress=Progress()).accepted_at == record.accepted_at


def test_other_weights_than_the_manifest_says(home: Path, toy: Toy) -> None:
    (toy.folder / "formants.bin").write_bytes(WEIGHTS[::-1])
    assert code_of(home, toy.folder) == "download_mismatch"
    (toy.folder / "formants.bin").write_bytes(WEIGHTS[:-1])
    assert code_of(home, toy.folder) == "download_mismatch"
    assert not any(path.is_file() for path in (home / "engines" / "toy" / "weights").rglob("*"))
    (toy.folder / "formants.bin").unlink()
    assert code_of(home, toy.folder) == "weights_missing"
    assert code_of(home, toy.folder / "nowhere") == "no_source"
    assert registry.engine(home, "toy").installed is None


def test_no_room_for_the_weights(home: Path, toy: Toy) -> None:
    toy.rewrite("toy.toml", "size = 1280", f"size = {10**15}")
    assert code_of(home, toy.folder) == "disk_full"


def test_no_room_for_the_packages(home: Path, toy: Toy) -> None:
    toy.rewrite("toy.toml", "size_mb = 20", f"size_mb = {10**9}")
    assert code_of(home, toy.folder) == "disk_full"


def test_packages_that_cannot_be_had(home: Path, toy: Toy) -> None:
    (toy.folder / "wheels").mkdir()
    toy.rewrite("toy.toml", "requirements = []", 'requirements = ["retake-no-such-package==1.0"]')
    with pytest.raises(RetakeError) as caught:
        install(home, "toy", source=toy.folder, progress=Progress())
    assert caught.value.code == "engine_environment" and "retake-no-such-package" in caught.value.cause


def test_packages_from_the_folder(home: Path, toy: Toy) -> None:
    """A wheel is a zip file; this one is made here."""
    import zipfile

    (toy.folder / "wheels").mkdir()
    with zipfile.ZipFile(toy.folder / "wheels" / "toy_helper-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy_helper.py", "VALUE = 7\n")
        wheel.writestr("toy_helper-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy-helper\nVersion: 1.0\n")
        wheel.writestr("toy_helper-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("toy_helper-1.0.dist-info/RECORD", "")
    toy.rewrite("toy.toml", "requirements = []", 'requirements = ["toy-helper==1.0"]')
    record = install(home, "toy", source=toy.folder, progress=Progress())
    assert record.packages == ("toy-helper==1.0",)
    toy.rewrite("toy.toml", 'requirements = ["toy-helper==1.0"]', "requirements = []")
    (home / "engines" / "manifests" / "toy.toml").write_text((toy.folder / "toy.toml").read_text())  # as a newer Retake would bring it
    with pytest.raises(RetakeError) as caught:
        registry.ready_engine(home, "toy", "voice")
    assert caught.value.code == "engine_outdated" and "other packages" in caught.value.cause
    assert install(home, "toy", progress=Progress()).packages == ()


def test_stopping_and_going_on(home: Path, toy: Toy) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        install(home, "toy", source=toy.folder, progress=progress)
    assert registry.engine(home, "toy").installed is None
    toy.install(home)


def test_one_installation_at_a_time(home: Path, toy: Toy) -> None:
    (home / "engines").mkdir(parents=True)
    with FileLock(home / "engines" / ".toy.lock"):
        assert code_of(home, toy.folder) == "engine_busy"


def test_what_is_missing_is_told_with_the_command(home: Path, toy: Toy) -> None:
    for name, code, words in (("xtts", "engine_not_installed", "retake engines install xtts"), ("nothing", "unknown_engine", "embedded, ")):
        with pytest.raises(RetakeError) as caught:
            registry.ready_engine(home, name, "voice")
        assert caught.value.code == code and words in caught.value.remedy
    with pytest.raises(RetakeError) as caught:
        registry.ready_engine(home, "xtts", "lips")
    assert caught.value.code == "unknown_engine"
    engine = toy.install(home)
    (engine.weights / "formants.bin").unlink()
    with pytest.raises(RetakeError) as caught:
        registry.ready_engine(home, "toy", "voice")
    assert caught.value.code == "engine_outdated" and "missing" in caught.value.cause


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ('name = "toy"', 'name = "Toy Two"'),
        ('name = "toy"', 'name = "embedded"'),
        ('stage = "voice"', 'stage = "song"'),
        ("ram_mb = 30", 'ram_mb = "30"'),
        ("[memory]", "[memory]\ncolour = 3"),
        ("requirements = []", 'requirements = ["numpy>=2"]'),
        ("requirements = []", 'requirements = ["numpy==2.*"]'),
        ('path = "formants.bin"', 'path = "../formants.bin"'),
        ("https://example.org", "http://example.org"),
        ("https://example.org", "file:///etc"),
        ('adapter = "toy.py"', 'adapter = "../toy.py"'),
        ('adapter = "toy.py"', 'adapter = "other.py"'),
        ('version = ">=3.10"', 'version = "three"'),
        ("[licence]", "[licence"),
    ],
)
def test_bad_manifests_say_what_is_wrong(home: Path, toy: Toy, old: str, new: str) -> None:
    toy.rewrite("toy.toml", old, new)
    with pytest.raises(RetakeError) as caught:
        install(home, "toy", source=toy.folder, progress=Progress())
    assert caught.value.code == "bad_manifest" and "toy.toml" in caught.value.cause
    assert not (home / "engines" / "manifests").exists()


def test_a_user_cannot_stand_in_for_an_engine_that_comes_along(home: Path, toy: Toy) -> None:
    toy.rewrite("toy.toml", 'name = "toy"', 'name = "xtts"')
    (toy.folder / "toy.toml").rename(toy.folder / "xtts.toml")
    with pytest.raises(RetakeError) as caught:
        install(home, "xtts", source=toy.folder, progress=Progress())
    assert caught.value.code == "licence_not_accepted" and "Coqui" in caught.value.cause


def test_removing(home: Path, toy: Toy) -> None:
    toy.install(home)
    assert remove(home, "toy") > len(WEIGHTS)
    assert not (home / "engines" / "toy").exists() and "toy" not in registry.manifests(home)
    for name, code in (("toy", "unknown_engine"), ("xtts", "engine_not_installed"), ("../x", "unknown_engine")):
        with pytest.raises(RetakeError) as caught:
            remove(home, name)
        assert caught.value.code == code


def test_the_commands(home: Path, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["engines", "install", "toy", "--from", str(toy.folder)]) == 0
    assert "Installed 'toy'" in capsys.readouterr().out
    assert cli.run(["engines", "list", "--json"]) == 0
    listed = {(one["stage"], one["name"]): one for one in json.loads(capsys.readouterr().out)["engines"]}
    assert listed["voice", "toy"]["available"] and listed["voice", "embedded"]["default"]
    assert not listed["voice", "xtts"]["commercial_use"] and "retake engines install xtts" in listed["voice", "xtts"]["missing"][0]
    assert cli.run(["engines"]) == 0
    text = capsys.readouterr().out
    assert "NOT for commercial use" in text and "CC0-1.0" in text
    assert cli.run(["engines", "test", "toy", "--json"]) == 0
    trial = json.loads(capsys.readouterr().out)
    assert trial["device"] == "cpu" and trial["seconds"] > 1 and trial["confidence"] is None  # a hum has no words
    assert cli.run(["engines", "install", "xtts"]) == ErrorKind.REFUSED.value
    assert "--accept-licence" in capsys.readouterr().err
    assert cli.run(["engines", "remove", "toy", "--yes"]) == 0
    assert cli.run(["engines", "test", "toy"]) == ErrorKind.BAD_INPUT.value


@pytest.fixture
def slow_server() -> Iterator[tuple[str, list[str], bytes]]:
    """A server of one file of 2 MB whose first answer stops after 40 %."""
    content = bytes(range(250)) * 8000
    asked: list[str] = []
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", '"one"')
            self.end_headers()
            if len(asked) == 1:
                self.wfile.write(content[: len(content) * 2 // 5])
                self.wfile.flush()
                release.wait(30)
                return
            self.wfile.write(content[start:])

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/formants.bin", asked, content
    release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_killed_at_40_percent_and_gone_on_with(home: Path, toy: Toy, slow_server: tuple[str, list[str], bytes]) -> None:
    address, asked, content = slow_server
    manifest = (toy.folder / "toy.toml").read_text()
    sha = hashlib.sha256(WEIGHTS).hexdigest()
    manifest = manifest.replace("https://example.org/toy/formants.bin", address).replace("size = 1280", f"size = {len(content)}")
    (home / "engines" / "manifests").mkdir(parents=True)
    (home / "engines" / "manifests" / "toy.toml").write_text(manifest.replace(sha, hashlib.sha256(content).hexdigest()))
    (home / "engines" / "manifests" / "toy.py").write_text((toy.folder / "toy.py").read_text())
    command = [sys.executable, "-m", "retake", "engines", "install", "toy", "--quiet"]
    environment = {**os.environ, "RETAKE_HOME": str(home)}
    part = home / "engines" / "toy" / "weights" / "formants.bin.part"
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size >= len(content) * 2 // 5) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        process.kill()
    assert part.stat().st_size == len(content) * 2 // 5
    assert registry.engine(home, "toy").installed is None
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert asked == ["", f"bytes={len(content) * 2 // 5}-"]
    assert (home / "engines" / "toy" / "weights" / "formants.bin").read_bytes() == content and not part.exists()
