"""What tests of the API work with: a context, a client with the token, takes and speakers that look like real ones."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from speaker_samples import speaker_record

from retake.api.app import create_app
from retake.api.context import Context
from retake.domain.speaker import Speaker
from retake.domain.take import Take, TakeRequest
from retake.jobs.database import Database, default_url
from retake.media.files import sha256
from retake.settings import Settings
from retake.speakers import store as speakers
from retake.takes import finish
from retake.takes import store as takes

TOKEN = "a-token-for-tests"
OCTETS = {"Content-Type": "application/octet-stream"}
CONSENT = "I, Anna K., agree to be reproduced for these tests."
PRESENTER = Path(__file__).parent.parent / "daemon" / "retake" / "assets" / "presenter" / "presenter.mp4"
TAKE = "00000000000000a1"
MAKE_LINKS = os.name != "nt"
LONG_AGO = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_context(home: Path, *, server: dict[str, Any] | None = None, limits: dict[str, Any] | None = None, artefacts: str = "") -> Context:
    """A context with a database of its own in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "jobs.sqlite3"
    if _EMPTY and not file.exists():
        file.write_bytes(_EMPTY[0])
    database = Database(default_url(home))
    if not file.exists():
        database.create()
        database.close()
        _EMPTY.append(file.read_bytes())
        database = Database(default_url(home))
    return Context(home, Settings.model_validate({"server": server or {}, "limits": limits or {}, "artefacts": artefacts}), database, TOKEN)


_DOCUMENT: dict[str, Any] = {}  # the same for every application; making it takes a quarter of a second
_EMPTY: list[bytes] = []  # a database with its tables


class Checked(TestClient):
    """Calls an application and compares every answer with what its OpenAPI document promises: the status, and the code of an error."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(app, **options)
        if not _DOCUMENT:
            _DOCUMENT.update(app.openapi())
        self.document = _DOCUMENT

    def request(self, method: str, url: Any, **options: Any) -> Any:
        answer = super().request(method, url, **options)
        operation = self.operation(method.lower(), answer.request.url.path)
        if operation is not None:
            promised = operation["responses"].get(str(answer.status_code))
            assert promised is not None, f"{method} {url} answers {answer.status_code}, which is not documented: {answer.text[:300]}"
            if answer.status_code >= 400 and answer.content:
                code = code_of(answer)
                assert re.search(rf"\b{code}\b", promised["description"]), f"{method} {url}: {answer.status_code} {code} is not documented"
        return answer

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """What is documented of this call; None for addresses and methods that are not."""
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method in operations:
                return operations[method]
        return None


def client_of(context: Context) -> Checked:
    """Calls the whole application, guard included, with the right token. What fails inside is answered as it would be in life (500)."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "127.0.0.1"}
    return Checked(create_app(context), base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=False)


def make_take(home: Path, number: int = 0xA1, speaker: str = "anna", text: str = "Hello there.", *, clip: bytes | None = None) -> Take:
    """A stored take whose clip is the presenter's video, or `clip`. Later numbers are made later."""
    identifier = f"{number:016x}"
    key = identifier.ljust(64, "0")
    with takes.building(home, key) as folder:
        files = finish.files_in(folder)
        Path(files.clip).write_bytes(PRESENTER.read_bytes() if clip is None else clip)
        Path(files.timeline).write_text('{"OTIO_SCHEMA": "Timeline.1"}', encoding="utf-8")
        Path(files.captions).write_text("1\n00:00:00,000 --> 00:00:01,000\nHello there.\n", encoding="utf-8")
        Path(files.report).write_text('{"frames": 30}', encoding="utf-8")
        Path(files.poster).write_bytes(b"\x89PNG\r\n\x1a\n")
        take = Take(
            id=identifier,
            request=TakeRequest(speaker=speaker, text=text, line_id="line1"),
            files=finish.files_in(takes.take_folder(home, identifier)),
            frames=30,
            rate="30000/1001",
            width=64,
            height=64,
            sha256=sha256(files.clip),
        )
        takes.save(folder, take, key, home=home, created_at=LONG_AGO + timedelta(minutes=number))
    return take


def make_speaker(home: Path, name: str = "anna") -> Speaker:
    """A stored speaker with a record, a report and a cached line, as far as the API looks at one."""
    speaker = speaker_record(name, statement=CONSENT, quality={"faces": 1.0}, fingerprint="f" * 64)
    with speakers.building(home, name, replace=True) as folder:
        speakers.save(folder, speaker)
        (folder / "report.html").write_text("<!doctype html><title>Report</title>", encoding="utf-8")
        (folder / "voice").mkdir()
        (folder / "voice" / "voice.json").write_text("{}", encoding="utf-8")
    spoken = speakers.speech_folder(home, name)
    spoken.mkdir(parents=True)
    (spoken / "line.json").write_text("{}", encoding="utf-8")
    return speaker


def upload(client: TestClient, data: bytes, name: str = "file") -> str:
    """Send `data` at once; returns "upload:ID"."""
    answer = client.put("/v1/uploads", params={"name": name}, content=data, headers=OCTETS)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["reference"])


def code_of(answer: Any) -> str:
    """The code of an error, after checking that it has the one shape that all errors have."""
    body = json.loads(answer.content)
    assert set(body) == {"error"} and {"code", "kind", "cause", "remedy"} <= set(body["error"]), body
    return str(body["error"]["code"])
