"""Takes over HTTP: lists, files with ranges, deleting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api_samples import MAKE_LINKS, PRESENTER, client_of, code_of, make_context, make_take
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from retake.api.context import Context
from retake.api.errors import Problem
from retake.api.ranges import parse_range
from retake.jobs.events import since
from retake.takes import store

MOVIE = PRESENTER.read_bytes()
PARTS = {
    "media": "video/mp4",
    "poster": "image/png",
    "captions": "application/x-subrip",
    "timeline": "application/json",
    "report": "application/json",
}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return make_context(tmp_path / "home")


@pytest.fixture
def client(context: Context) -> TestClient:
    return client_of(context)


def test_lists_in_pages(client: TestClient, context: Context) -> None:
    assert client.get("/v1/takes").json() == {"takes": [], "next": None, "total": 0}
    for number in range(1, 8):
        make_take(context.home, number, speaker="anna" if number % 2 else "ben", clip=b"x")
    found: list[str] = []
    cursor = None
    for _ in range(10):
        page = client.get("/v1/takes", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        assert page["total"] == 7
        found += [take["id"] for take in page["takes"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"{number:016x}" for number in range(7, 0, -1)]
    assert {take["speaker"] for take in client.get("/v1/takes", params={"speaker": "ben"}).json()["takes"]} == {"ben"}
    assert client.get("/v1/takes", params={"speaker": "nobody"}).json()["total"] == 0
    for bad in ({"limit": 0}, {"limit": 501}, {"cursor": "x"}, {"speaker": "../x"}):
        assert client.get("/v1/takes", params=bad).status_code == 422


def test_finds_the_takes_of_a_line_and_of_words(client: TestClient, context: Context) -> None:
    for number, (speaker, text) in enumerate([("anna", "Hello."), ("ben", "Hello."), ("anna", "Ünïcode & more?")], 1):
        make_take(context.home, number, speaker=speaker, text=text, clip=b"x")

    def found(**wanted: str) -> list[int]:
        return [int(take["id"], 16) for take in client.get("/v1/takes", params=wanted).json()["takes"]]

    assert found(text="Hello.") == [2, 1] and found(text="Hello.", speaker="anna") == [1]
    assert found(text="Ünïcode & more?") == [3] and found(text="Hello") == []
    assert found(line="line1") == [3, 2, 1] and found(line="line1", speaker="ben", text="Hello.") == [2] and found(line="line2") == []
    for bad in ({"line": "x" * 65}, {"text": "x" * 10_001}, {"text": "\0"}):
        assert client.get("/v1/takes", params=bad).status_code == 422


def test_a_list_follows_what_happens_on_the_disk(client: TestClient, context: Context) -> None:
    make_take(context.home, 1, clip=b"x")
    make_take(context.home, 2, clip=b"x")
    assert client.get("/v1/takes").json()["total"] == 2
    store.delete(context.home, f"{1:016x}")
    (context.home / "takes" / f"{2:016x}" / "record.json").write_text("{", encoding="utf-8")
    (context.home / "takes" / "stray").mkdir()
    assert client.get("/v1/takes").json()["total"] == 0
    damaged = client.get(f"/v1/takes/{2:016x}")
    assert damaged.status_code == 503 and code_of(damaged) == "bad_take_record"
    make_take(context.home, 2, text="Another text.", clip=b"y")
    assert client.get("/v1/takes").json()["takes"][0]["text"] == "Another text."


def test_one_take(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    body = client.get(f"/v1/takes/{take.id}").json()
    assert body["rate"] == "30000/1001" and body["seconds"] == 1.001 and body["sha256"] == take.sha256
    assert body["request"] == take.request.model_dump(mode="json")
    for part, address in body["links"].items():
        answer = client.get(address)
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith(PARTS[part])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("inline; filename=")
        assert client.get(address, params={"download": "true"}).headers["Content-Disposition"].startswith("attachment; filename=")
    for identifier in ("0" * 16, "x", "0" * 17, "..%2f..", "%00"):
        assert client.get(f"/v1/takes/{identifier}").status_code in {404, 422}
        assert client.get(f"/v1/takes/{identifier}/media").status_code in {404, 422}
    assert code_of(client.get(f"/v1/takes/{'0' * 16}")) == "unknown_take"


def test_the_clip_in_ranges(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    address = f"/v1/takes/{take.id}/media"
    whole = client.get(address)
    assert whole.content == MOVIE and whole.headers["Accept-Ranges"] == "bytes" and whole.headers["ETag"] == f'"{take.sha256}"'
    size = len(MOVIE)
    ranges = {
        "bytes=0-0": (0, 1),
        "bytes=100-299": (100, 300),
        f"bytes={size - 1}-": (size - 1, size),
        "bytes=-500": (size - 500, size),
        f"bytes=0-{size * 2}": (0, size),
        f"bytes=-{size * 2}": (0, size),
        "BYTES=5-9": (5, 10),
    }
    for header, (start, end) in ranges.items():
        answer = client.get(address, headers={"Range": header})
        assert answer.status_code == 206 and answer.content == MOVIE[start:end], header
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}" and answer.headers["Content-Length"] == str(end - start)
    for header in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0"):
        answer = client.get(address, headers={"Range": header})
        assert answer.status_code == 416 and code_of(answer) == "bad_range" and answer.headers["Content-Range"] == f"bytes */{size}", header
    # Several ranges, other units and what is not understood: the whole file, never more than that.
    many = "bytes=" + ",".join("0-" for _ in range(500))
    for header in (
        "bytes=0-1,5-6",
        many,
        "lines=1-2",
        "bytes=",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=1_0-20",
        "bytes=٣-٤".encode(),
        "bytes=" + "9" * 40 + "-",
    ):
        answer = client.get(address, headers={"Range": header})
        assert answer.status_code == 200 and len(answer.content) == size, header


def test_conditions(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    address = f"/v1/takes/{take.id}/media"
    etag = f'"{take.sha256}"'
    for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = client.get(address, headers={"If-None-Match": value})
        assert answer.status_code == 304 and answer.content == b"" and answer.headers["ETag"] == etag
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    modified = client.get(address).headers["Last-Modified"]
    for value, status in ((etag, 206), (modified, 206), ('"other"', 200), (f"W/{etag}", 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)):
        answer = client.get(address, headers={"Range": "bytes=0-9", "If-Range": value})
        assert answer.status_code == status and len(answer.content) == (10 if status == 206 else len(MOVIE)), value


def test_head_tells_without_sending(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    for part in PARTS:
        head, got = client.head(f"/v1/takes/{take.id}/{part}"), client.get(f"/v1/takes/{take.id}/{part}")
        assert head.status_code == 200 and head.content == b"" and head.headers["Content-Length"] == str(len(got.content))
        assert head.headers["ETag"] == got.headers["ETag"]
    assert client.head(f"/v1/takes/{take.id}/media", headers={"Range": "bytes=0-5"}).status_code == 200


@given(st.text(alphabet="bytes=0123456789-, \t", max_size=30), st.integers(0, 50))
def test_any_range_lies_in_the_file(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except Problem as error:
        assert error.status == 416
        return
    assert part is None or 0 <= part[0] < part[1] <= size


def test_files_that_went_are_told_and_nothing_else_is_sent(client: TestClient, context: Context, tmp_path: Path) -> None:
    take = make_take(context.home)
    clip = context.home / "takes" / take.id / "take.mp4"
    (tmp_path / "secret").write_text("hidden words", encoding="utf-8")
    record = context.home / "takes" / take.id / "record.json"
    content = record.read_text(encoding="utf-8")
    for name in (str(tmp_path / "secret"), "../../../secret", str(context.home / "settings.json"), "", ".", ".."):
        record.write_text(content.replace('"take.mp4"', f'"{name}"'), encoding="utf-8")
        answer = client.get(f"/v1/takes/{take.id}/media")
        assert answer.status_code == 404 and b"hidden words" not in answer.content, name
    record.write_text(content, encoding="utf-8")
    clip.unlink()
    assert code_of(client.get(f"/v1/takes/{take.id}/media")) == "missing_file"
    if MAKE_LINKS:
        clip.symlink_to(tmp_path / "secret")
        assert code_of(client.get(f"/v1/takes/{take.id}/media")) == "missing_file"
        clip.unlink()
        os.mkfifo(clip)
        assert code_of(client.get(f"/v1/takes/{take.id}/media")) == "missing_file"


def test_names_for_saving_are_plain(client: TestClient, context: Context) -> None:
    take = make_take(context.home, speaker='a"; x=\r\n../../é', clip=b"x")
    name = client.get(f"/v1/takes/{take.id}/media").headers["Content-Disposition"]
    assert name == f'inline; filename="a___x__________-{take.id}.mp4"'


def test_deleting(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    assert client.delete(f"/v1/takes/{take.id}").status_code == 204
    assert client.get(f"/v1/takes/{take.id}/media").status_code == 404
    assert code_of(client.delete(f"/v1/takes/{take.id}")) == "unknown_take"
    assert not list((context.home / "takes").glob("*"))
    [event] = [event for event in since(context.database, 0) if event.type == "take.deleted"]
    assert event.data == {"id": take.id, "speaker": "anna"}


def test_without_the_token_nothing_is_sent(client: TestClient, context: Context) -> None:
    take = make_take(context.home)
    for part in ("", *(f"/{part}" for part in PARTS)):
        answer = client.get(f"/v1/takes/{take.id}{part}", headers={"Authorization": ""})
        assert answer.status_code == 401 and MOVIE[:100] not in answer.content
