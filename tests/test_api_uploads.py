"""Uploads: parts that can be resumed, limits, and what is taken in by its content."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_daemon import TOKEN as DAEMON_TOKEN
from api_daemon import receive, running
from api_samples import CONSENT, OCTETS, PRESENTER, client_of, code_of, make_context, upload
from fastapi.testclient import TestClient
from waiting import PATIENCE, until

from retake.api import upload_store, uploads
from retake.api.sniff import check_timeline, deeper_than, sniff
from retake.domain.errors import RetakeError

PART = {"Content-Type": "application/offset+octet-stream"}
MOVIE = PRESENTER.read_bytes()


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return client_of(make_context(tmp_path / "home"))


def begin(client: TestClient, data: bytes = MOVIE, **fields: object) -> str:
    answer = client.post("/v1/uploads", json={"name": "talk.mp4", "size": len(data), **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/uploads/{answer.json()['id']}"
    return answer.json()["id"]


def send(client: TestClient, identifier: str, data: bytes, offset: object):
    return client.patch(f"/v1/uploads/{identifier}", content=data, headers={**PART, "Upload-Offset": str(offset)})


def test_a_file_arrives_in_parts_and_is_checked(client: TestClient, tmp_path: Path) -> None:
    identifier = begin(client, sha256=hashlib.sha256(MOVIE).hexdigest().upper())
    first = send(client, identifier, MOVIE[:700_000], 0)
    assert first.status_code == 200 and first.json()["state"] == "receiving" and first.headers["Upload-Offset"] == "700000"
    assert client.head(f"/v1/uploads/{identifier}").headers["Upload-Offset"] == "700000"
    last = send(client, identifier, MOVIE[700_000:], 700_000).json()
    assert last["state"] == "finished" and last["kind"] == "media" and last["reference"] == f"upload:{identifier}"
    path = upload_store.upload_path(tmp_path / "home", identifier)
    assert path.read_bytes() == MOVIE and path.suffix == ".mp4"
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_a_part_at_another_place_is_refused_and_told_the_right_one(client: TestClient) -> None:
    identifier = begin(client)
    send(client, identifier, MOVIE[:1000], 0)
    for offset in (0, 999, 1001, 10**17):
        answer = send(client, identifier, MOVIE[:1000], offset)
        assert answer.status_code == 409 and code_of(answer) == "upload_offset" and answer.headers["Upload-Offset"] == "1000"
    for offset in ("", "-1", "x", "1e3", "١", "9" * 19):
        answer = client.patch(f"/v1/uploads/{identifier}", content=b"x", headers={**PART, "Upload-Offset": offset.encode()})
        assert answer.status_code == 400 and code_of(answer) == "bad_upload_offset"
    assert code_of(client.patch(f"/v1/uploads/{identifier}", content=b"x", headers=PART)) == "bad_upload_offset"
    assert client.get(f"/v1/uploads/{identifier}").json()["offset"] == 1000


def test_an_upload_goes_on_after_the_daemon_was_started_again(client: TestClient, tmp_path: Path) -> None:
    identifier = begin(client)
    send(client, identifier, MOVIE[:5000], 0)
    again = client_of(make_context(tmp_path / "home"))
    assert again.get(f"/v1/uploads/{identifier}").json()["offset"] == 5000
    assert send(again, identifier, MOVIE[5000:], 5000).json()["state"] == "finished"


def test_a_finished_upload_whose_answer_was_lost(client: TestClient) -> None:
    identifier = begin(client)
    assert code_of(client.post(f"/v1/uploads/{identifier}/finish")) == "upload_unfinished"
    send(client, identifier, MOVIE, 0)
    assert client.post(f"/v1/uploads/{identifier}/finish").json()["state"] == "finished"
    again = send(client, identifier, MOVIE[:10], 0)
    assert again.status_code == 409 and code_of(again) == "upload_finished"


def test_checking_that_was_interrupted_is_done_again(client: TestClient, tmp_path: Path) -> None:
    identifier = begin(client)
    send(client, identifier, MOVIE, 0)
    folder = upload_store.upload_folder(tmp_path / "home", identifier)
    record = upload_store.Upload.load(tmp_path / "home", identifier)
    record.model_copy(update={"finished_at": None, "kind": None, "suffix": ""}).save(folder)  # killed after the renaming
    assert client.get(f"/v1/uploads/{identifier}").json()["state"] == "receiving"
    assert client.post(f"/v1/uploads/{identifier}/finish").json()["state"] == "finished"


def test_a_wrong_hash_removes_the_upload(client: TestClient) -> None:
    identifier = begin(client, sha256="0" * 64)
    answer = send(client, identifier, MOVIE, 0)
    assert answer.status_code == 400 and code_of(answer) == "upload_corrupt"
    assert client.get(f"/v1/uploads/{identifier}").status_code == 404


def test_more_than_announced_is_refused_and_not_kept(client: TestClient) -> None:
    identifier = begin(client, MOVIE[:1000])
    assert code_of(send(client, identifier, MOVIE[:1001], 0)) == "upload_too_long"

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield MOVIE[:100]

    answer = client.patch(f"/v1/uploads/{identifier}", content=endless(), headers={**PART, "Upload-Offset": "0"})
    assert answer.status_code == 400 and code_of(answer) == "upload_too_long"
    assert client.head(f"/v1/uploads/{identifier}").headers["Upload-Offset"] == "0"


def test_limits(tmp_path: Path) -> None:
    client = client_of(make_context(tmp_path / "home", limits={"upload_bytes": 2000}))
    answer = client.post("/v1/uploads", json={"size": 2001})
    assert answer.status_code == 413 and code_of(answer) == "upload_too_large"
    assert client.post("/v1/uploads", json={"size": 0}).status_code == 422
    assert [client.post("/v1/uploads", json={"size": size}).status_code for size in (True, "10", 1.5, None)] == [422] * 4
    assert client.put("/v1/uploads", content=b"x" * 2001, headers=OCTETS).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"a line of text\n"

    assert client.put("/v1/uploads", content=endless(), headers=OCTETS).status_code == 201
    assert client.put("/v1/uploads", content=(piece for _ in range(2) for piece in endless()), headers=OCTETS).status_code == 413
    assert [entry.name for entry in (tmp_path / "home" / "uploads").iterdir() if entry.is_dir()] == [
        client.get("/v1/uploads").json()["uploads"][0]["id"]
    ]


def test_unfinished_uploads_are_bounded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_store, "MOST_UNFINISHED", 3)
    kept = [begin(client) for _ in range(3)]
    answer = client.post("/v1/uploads", json={"size": 10})
    assert answer.status_code == 429 and code_of(answer) == "too_many_uploads" and "Retry-After" in answer.headers
    assert client.delete(f"/v1/uploads/{kept[0]}").status_code == 204
    assert client.post("/v1/uploads", json={"size": 10}).status_code == 201


def test_what_is_promised_must_fit_the_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    free = upload_store.RESERVE + 3_000_000

    def usage(folder: object):
        return type("Usage", (), {"free": free})()

    monkeypatch.setattr("shutil.disk_usage", usage)
    identifier = begin(client, size=2_000_000)
    answer = client.post("/v1/uploads", json={"size": 2_000_000})
    assert answer.status_code == 507 and code_of(answer) == "disk_full"
    free = 1000
    assert code_of(send(client, identifier, MOVIE[:1000], 0)) == "disk_full"


def test_two_writers_exclude_each_other(client: TestClient, tmp_path: Path) -> None:
    identifier = begin(client)
    with upload_store.writing(tmp_path / "home", identifier):
        for answer in (
            send(client, identifier, MOVIE, 0),
            client.delete(f"/v1/uploads/{identifier}"),
            client.post(f"/v1/uploads/{identifier}/finish"),
        ):
            assert answer.status_code == 409 and code_of(answer) == "upload_busy"
    assert send(client, identifier, MOVIE, 0).status_code == 200


def test_names_are_labels_and_identifiers_are_no_paths(client: TestClient, tmp_path: Path) -> None:
    names = {
        "../../../etc/cron.d/x": "x",
        "C:\\Windows\\evil.mp4": "evil.mp4",
        "a\nb\u202e\ud800.mp4": "ab.mp4",
        "": "unnamed",
        "..": "..",
        "x" * 999: "x" * 120,
    }
    before = sorted(tmp_path.rglob("*"))
    for given, kept in names.items():
        answer = client.post(
            "/v1/uploads", content=f'{{"name": {json.dumps(given)}, "size": 10}}'.encode(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {201, 422}, answer.text
        if answer.status_code == 201:
            assert answer.json()["name"] == kept
            client.delete(answer.headers["Location"])
    ours = ("uploads", "jobs.sqlite3")
    outside = [path for path in tmp_path.rglob("*") if path not in before and not path.relative_to(tmp_path / "home").parts[0].startswith(ours)]
    assert not outside
    for identifier in ("..", "%2e%2e%2f%2e%2e", "0" * 31, "Z" * 32, "..%5c..", "a" * 65):
        answer = client.get(f"/v1/uploads/{identifier}")
        assert answer.status_code in {404, 422}, answer.text


def test_only_octets_are_parts(client: TestClient) -> None:
    identifier = begin(client)
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
        answer = client.patch(f"/v1/uploads/{identifier}", content=b"{}", headers={"Content-Type": kind, "Upload-Offset": "0"})
        assert answer.status_code == 415 and code_of(answer) == "wrong_content_type"


def test_old_uploads_go_unless_a_job_needs_them(client: TestClient, tmp_path: Path) -> None:
    home = tmp_path / "home"
    needed, old, young = (upload(client, MOVIE, name) for name in ("needed", "old", "young"))
    half = begin(client)
    answer = client.post("/v1/speakers", json={"name": "anna", "reference": needed, "consent": CONSENT})
    assert answer.status_code == 201
    for reference in (needed, old, f"upload:{half}"):
        folder = upload_store.upload_folder(home, reference.removeprefix("upload:"))
        for path in folder.iterdir():
            os.utime(path, (time.time() - 3 * 86400,) * 2)
    client.post("/v1/uploads", json={"size": 10})
    left = {found["reference"] for found in client.get("/v1/uploads").json()["uploads"]}
    assert {needed, young} <= left and old not in left and f"upload:{half}" not in left
    refused = client.delete(f"/v1/uploads/{needed.removeprefix('upload:')}")
    assert refused.status_code == 409 and code_of(refused) == "upload_in_use"


def test_a_connection_that_breaks_leaves_what_arrived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much of it is kept is up to when the break was noticed. What is promised: the offset is that of whole bytes, and going on there works."""
    monkeypatch.setattr(uploads, "BLOCK", 64 * 1024)  # so that it is seen from outside that the part is being taken in
    sent = 300_000
    with running(tmp_path / "home") as daemon:
        identifier = daemon.client.post("/v1/uploads", json={"size": len(MOVIE), "sha256": hashlib.sha256(MOVIE).hexdigest()}).json()["id"]
        address = f"/v1/uploads/{identifier}"

        def stands() -> int:
            return int(daemon.client.head(address).headers["Upload-Offset"])

        def asked_to_finish() -> str:
            return daemon.client.post(f"{address}/finish").json()["error"]["code"]

        head = f"PATCH {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {DAEMON_TOKEN}\r\nUpload-Offset: 0\r\n"
        head += f"Content-Type: application/offset+octet-stream\r\nContent-Length: {len(MOVIE)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE) as connection:
            connection.sendall(head.encode() + MOVIE[:sent])
            until(lambda: stands() > 0)
            busy = daemon.client.patch(address, content=b"x", headers={**PART, "Upload-Offset": "0"})
            assert busy.status_code == 409 and busy.json()["error"]["code"] == "upload_busy"
        until(lambda: asked_to_finish() == "upload_unfinished", asked_to_finish)  # and no longer "upload_busy"
        kept = stands()
        assert 0 < kept <= sent
        assert stands() == kept
        done = daemon.client.patch(address, content=MOVIE[kept:], headers={**PART, "Upload-Offset": str(kept)})
        assert done.json()["state"] == "finished", done.text  # and it has the hash that was announced


def test_lying_lengths_on_the_wire(tmp_path: Path) -> None:
    with running(tmp_path / "home") as daemon:
        identifier = daemon.client.post("/v1/uploads", json={"size": 1000}).json()["id"]
        for length in ("99999999999999999999", "-5", "5000000000", "abc", "1001"):
            head = f"PATCH /v1/uploads/{identifier} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {DAEMON_TOKEN}\r\nUpload-Offset: 0\r\n"
            head += f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nabc"
            with socket.create_connection(("127.0.0.1", daemon.port), timeout=PATIENCE) as connection:
                connection.sendall(head.encode())
                status = receive(connection).split(b" ")[1]
            assert status in {b"400", b"413"}, (length, status)
        assert daemon.client.get(f"/v1/uploads/{identifier}").json()["offset"] == 0


def test_many_at_once(tmp_path: Path) -> None:
    """Eight uploads in parallel all arrive whole."""
    with running(tmp_path / "home") as daemon:
        results: list[str] = []

        def one(number: int) -> None:
            data = MOVIE + bytes([number]) * 1000
            answer = daemon.client.put("/v1/uploads", content=data, headers=OCTETS)
            if answer.status_code == 201 and answer.json()["sha256"] == hashlib.sha256(data).hexdigest():
                results.append(answer.json()["id"])

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(set(results)) == 8


WANTED = {
    "text": (b"Hello there.\n", "text"),
    "markdown": (b"---\nspeaker: anna\n---\nHello *there*.", "text"),
    "captions": (b"1\r\n00:00:00,000 --> 00:00:01,000\r\nHello\r\n", "text"),
    "bom": (b"\xef\xbb\xbfHello", "text"),
    "json": (b'{"text": "Hello"}', "text"),
    "otio": (b' {"OTIO_SCHEMA": "Timeline.1", "tracks": null}', "timeline"),
    "wav": (b"RIFF\x00\x00\x00\x00WAVEfmt ", "media"),
    "mkv": (b"\x1aE\xdf\xa3" + bytes(100), "media"),
    "mov": (b"\x00\x00\x00\x14ftypqt  " + bytes(100), "media"),
    "ts": ((b"\x47" + bytes(187)) * 4, "media"),
    "mp3": (b"\xff\xfb\x90\x00" + bytes(100), "media"),
    "amr": (b"#!AMR\n" + bytes(10), "media"),
}
UNWANTED = {
    "windows program": b"MZ\x90\x00" + bytes(100),
    "linux program": b"\x7fELF" + bytes(100),
    "script": b"#!/bin/sh\nrm -rf /\n",
    "zip": b"PK\x03\x04" + bytes(100),
    "gzip": b"\x1f\x8b\x08" + bytes(100),
    "tar": bytes(257) + b"ustar\x00" + bytes(100),
    "hls playlist": b"#EXTM3U\n#EXTINF:10,\nhttp://169.254.169.254/latest\n",
    "hls playlist behind a line": b"\n\n  #EXTM3U\nfile:///etc/passwd\n",
    "concat script": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "concat script without a head": b"file '/etc/passwd'\n",
    "session description": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "pls": b"[playlist]\nFile1=http://example.org\n",
    "web page": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": b"<?xml version='1.0'?><svg/>",
    "dash manifest": b"  <MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    "heic": b"\x00\x00\x00\x18ftypheic" + bytes(100),
    "noise": bytes(range(200, 256)) * 10,
    "text with a zero": b"Hello\x00there",
    "riff of something else": b"RIFF\x00\x00\x00\x00sfbkLIST",
}


@pytest.mark.parametrize("name", WANTED)
def test_wanted_content(name: str, tmp_path: Path) -> None:
    data, kind = WANTED[name]
    (tmp_path / "file").write_bytes(data)
    assert sniff(tmp_path / "file").kind == kind


@pytest.mark.parametrize("name", UNWANTED)
def test_unwanted_content(name: str, tmp_path: Path, client: TestClient) -> None:
    (tmp_path / "file").write_bytes(UNWANTED[name])
    with pytest.raises(RetakeError) as caught:
        sniff(tmp_path / "file")
    assert caught.value.code == "unwanted_file"
    answer = client.put("/v1/uploads", params={"name": "talk.mp4"}, content=UNWANTED[name], headers=OCTETS)
    assert answer.status_code == 400 and code_of(answer) == "unwanted_file"
    assert client.get("/v1/uploads").json()["uploads"] == []


def test_timelines_are_looked_at_without_being_believed() -> None:
    check_timeline(b'{"OTIO_SCHEMA": "Timeline.1", "name": "[[[[{{{{"}')
    bad = {
        "not JSON": b'{"OTIO_SCHEMA": ',
        "no object": b"[1]",
        "no schema": b"{}",
        "another schema": b'{"OTIO_SCHEMA": "Clip.1"}',
        "a schema of another type": b'{"OTIO_SCHEMA": {"a": 1}}',
        "not UTF-8": b'{"OTIO_SCHEMA": "Timeline.1", "name": "\xff"}',
        "a number without end": b'{"OTIO_SCHEMA": "Timeline.1", "n": ' + b"9" * 10_000 + b"}",
        "a bomb": b'{"OTIO_SCHEMA": "Timeline.1", "a": ' + b"[" * 100_000,
        "a bomb of objects": b'{"a":' * 100_000,
        "a string without end": b'{"OTIO_SCHEMA": "Timeline.1\\',
    }
    for name, data in bad.items():
        with pytest.raises(RetakeError) as caught:
            check_timeline(data)
        assert caught.value.code == "bad_timeline", name


def test_depth_is_found_without_parsing() -> None:
    assert not deeper_than(b"[" * 5 + b"]" * 5, 5)
    assert deeper_than(b"[" * 6, 5)
    assert not deeper_than(b'["[[[[[[[[[[[["]', 2)
    assert not deeper_than(rb'["\"[[[[[[[[", "\\", 1]', 2)
    assert not deeper_than(b'"' + b"\\" * 2_000_000, 5)  # with backtracking this would take hours
