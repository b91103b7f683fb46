"""`retake write`, `rewrite` and `model` as a user runs them, with a server on loopback for a language model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from enrolled import EnrolledHome
from model_server import ModelServer, Reply, model_server

from retake.domain.errors import ErrorKind
from retake.script.parse import parse_script
from retake.settings import LanguageModelSettings, Settings, save_settings
from retake.speakers.store import speaker_folder
from retake.speech.embedded import EmbeddedVoice
from retake.speech.estimate import Estimate

KEY = "sk-secret-for-tests"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def use(home: Path, server: ModelServer) -> None:
    save_settings(home, Settings(language_model=LanguageModelSettings(model="m", base_url=server.base_url, timeout=60, retries=0)))


def retake(home: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("RETAKE_MODEL_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-provider")
    # Not the guarded environment of other tests: this process talks to a server of the test, on loopback.
    command = [sys.executable, "-m", "retake", *arguments]
    environment = os.environ | {"RETAKE_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert "Traceback" not in done.stderr and KEY not in done.stdout + done.stderr
    return done


def lines(*texts: str) -> str:
    return json.dumps({"title": "Locks", "lines": [{"text": text} for text in texts]})


def test_from_a_brief_to_a_script_that_can_be_rendered(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with model_server(lambda _n, _body: Reply((lines("Lock your screen when you leave.", "It takes a *second*."),))) as server:
        use(home, server)
        done = retake(home, "write", "why we lock screens", "--seconds", "4", "-o", str(tmp_path / "locks.md"), monkeypatch=monkeypatch)
    assert done.returncode == 0, done.stderr
    script = parse_script(tmp_path / "locks.md")
    assert script.title == "Locks" and [line.text for line in script.lines] == ["Lock your screen when you leave.", "It takes a *second*."]
    assert f"words to m at 127.0.0.1:{server.port}" in done.stderr and "100 tokens sent" in done.stderr
    assert server.keys == [f"Bearer {KEY}"]
    assert not any(KEY in path.read_text(encoding="utf-8", errors="replace") for path in home.rglob("*") if path.is_file())


def test_show_sends_nothing_and_is_what_would_be_sent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(show: bool) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
        with model_server(lambda _n, _body: Reply((lines("Lock your screen."),))) as server:
            use(home, server)
            done = retake(home, "write", "why we lock screens", *(["--show"] if show else []), monkeypatch=monkeypatch)
        return done, server.requests

    shown, nothing = asked(True)
    done, sent = asked(False)
    assert nothing == [] and shown.returncode == done.returncode == 0
    assert [json.loads(shown.stdout)["request"]] == sent


def test_a_script_of_two_speakers_is_translated_line_by_line(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "two.md"
    source.write_text("# Talk\n\n@anna: Good morning.\n\n@ben: Good morning, Anna.\n", encoding="utf-8")
    answer = json.dumps({"lines": [{"number": 1, "text": "Guten Morgen."}, {"number": 2, "text": "Guten Morgen, Anna."}]})
    with model_server(lambda _n, _body: Reply((answer,))) as server:
        use(home, server)
        done = retake(home, "rewrite", str(source), "--translate", "de", "--json", monkeypatch=monkeypatch)
    assert done.returncode == 0, done.stderr
    (draft,) = json.loads(done.stdout)["drafts"]
    assert draft["lines"] == [{"speaker": "anna", "text": "Guten Morgen."}, {"speaker": "ben", "text": "Guten Morgen, Anna."}]


def test_versions_are_files_of_their_own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = json.dumps({"variants": [json.loads(lines("One.")), json.loads(lines("Two."))]})
    with model_server(lambda _n, _body: Reply((answer,))) as server:
        use(home, server)
        done = retake(home, "rewrite", "Say something.", "--vary", "2", "-o", str(tmp_path / "ab.md"), monkeypatch=monkeypatch)
    assert done.returncode == 0, done.stderr
    assert [parse_script(tmp_path / f"ab-{number}.md").lines[0].text for number in (1, 2)] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (("write", "  "), ErrorKind.BAD_INPUT, "empty"),
        (("write", "locks", "--speaker", "nobody"), ErrorKind.NOT_FOUND, "nobody"),
        (("write", "locks", "-o", "no/such/folder/x.md"), ErrorKind.BAD_INPUT, "folder"),
        (("write", "locks", "-o", "x.mp4"), ErrorKind.BAD_INPUT, ".md"),
        (("rewrite", "Hello."), ErrorKind.BAD_INPUT, "--shorten"),
        (("rewrite", "Hello.", "--simplify", "--vary", "2"), ErrorKind.BAD_INPUT, "--shorten"),
        (("write", "locks"), ErrorKind.REFUSED, "set-key"),
    ],
)
def test_errors_say_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], kind: ErrorKind, says: str) -> None:
    with model_server(lambda _n, _body: Reply(status=401)) as server:
        use(home, server)
        done = retake(home, *arguments, monkeypatch=monkeypatch)
    assert done.returncode == kind.value and says in done.stderr
    assert len(server.requests) == (1 if kind is ErrorKind.REFUSED else 0)


def test_what_is_set_up_is_shown_without_the_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(retake(home, "model", "show", "--json", monkeypatch=monkeypatch).stdout)
    assert found == {"model": "gpt-4.1", "address": "https://api.openai.com/v1", "key": "the variable RETAKE_MODEL_KEY"}


def test_estimates_agree_with_what_is_spoken(presenter_home: EnrolledHome) -> None:
    folder = speaker_folder(presenter_home.path, "presenter")
    estimate, voice = Estimate(folder), EmbeddedVoice()
    for text in (
        "Could you please check the figures again before they go to the whole team?",
        "First, open the box. Then take out the cable, and plug it in.",
    ):
        spoken = voice.speak(folder, text).duration
        assert abs(estimate.seconds([text]) - spoken) < 0.08 * spoken
