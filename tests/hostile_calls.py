"""Calls that are well-formed HTTP and mean harm: fields, tokens, names of hosts, bodies, and what schemathesis makes up."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import httpx
import hypothesis
import requests
import schemathesis
from hostile_target import RAW_SECONDS, Scale, Target
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from retake.api.tickets import signed

REFUSED = ["2xx", "400", "401", "403", "404", "405", "409", "413", "416", "429"]
STREAMS = "events$"  # never end
ESCAPE = "retake-hostile-escape"  # no file of this name may ever come to be
NOBODY = "0" * 32


def generated(target: Target, scale: Scale) -> Counter[str]:
    """What schemathesis makes of the daemon's own description: calls that follow it, and calls that break it."""
    outcomes: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {target.token}"}
    config = SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}}})
    address = str(target.http.base_url.join("/v1/openapi.json"))
    described = schemathesis.openapi.from_url(address, headers=headers, config=config).exclude(path_regex=STREAMS)
    often = hypothesis.settings(
        max_examples=scale.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    with requests.Session() as session:
        session.trust_env = False
        for mode in list(schemathesis.GenerationMode):
            for found in described.get_all_operations():
                operation = found.ok()

                @often
                @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
                def call(case: schemathesis.Case) -> None:
                    answer = case.call(headers=headers, session=session)
                    outcomes[f"{answer.status_code}"] += 1
                    case.validate_response(answer, headers=headers)

                try:
                    call()
                except hypothesis.errors.Unsatisfiable:
                    continue  # there is nothing about this call that could be wrong
                except FailureGroup as error:
                    for failure in error.exceptions:
                        if "(was Authorization)" in str(failure):
                            continue  # it left the token away, and we send it with every call
                        target.problem(f"{operation.label}: {failure}")
    _cancel_everything(target)
    return outcomes


def _cancel_everything(target: Target) -> None:
    while True:
        jobs = target.http.get("/v1/jobs", params={"state": ["queued", "running"], "limit": 100}).json()["jobs"]
        if not jobs:
            return
        for job in jobs:
            target.http.post(f"/v1/jobs/{job['id']}/cancel")
        time.sleep(0.1)


def bad_paths(target: Target) -> list[str]:
    """Paths that lead, or look as if they led, to where a caller may not go. Makes the links and pipes that some of them name."""
    from hostile_files import traps

    root, home = target.root, target.running.home
    out = "../outside/secret.txt"
    return [
        "../../../../etc/passwd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "%252e%252e%252fetc",
        "....//....//etc/passwd",
        "..\\..\\windows\\win.ini",
        "/etc/passwd",
        "//etc/passwd",
        "///etc/passwd",
        "/./etc/passwd",
        "\\\\server\\share\\a.mp4",
        "//server/share/a.mp4",
        "\\\\?\\C:\\a.mp4",
        "\\\\.\\PhysicalDrive0",
        "C:\\Windows\\win.ini",
        "C:/Windows/win.ini",
        "c:a.mp4",
        "file:///etc/passwd",
        "file:a.mp4",
        "http://127.0.0.1:1/a.mp4",
        "https://example.org/a.mp4",
        "concat:/etc/passwd|/etc/group",
        "subfile:,,start,0,end,9,,:/etc/passwd",
        "data:text/plain,x",
        "pipe:0",
        "-",
        "~/a.mp4",
        "~root/a.mp4",
        "$HOME/a.mp4",
        "${HOME}",
        "`id`",
        "; id",
        "| id",
        "/proc/self/environ",
        "/proc/self/fd/0",
        "/dev/zero",
        "/dev/stdin",
        "/dev/tty",
        "/dev/random",
        "CON",
        "nul.mp4",
        "com1",
        "aux.txt",
        "a\x00b",
        f"{root}/a\x00.mp4",
        f"{root}/\x00/../../outside",
        "%00",
        "\u0000",
        "\xc0\xae\xc0\xae/\xc0\xaf",
        "%c0%ae%c0%ae%c0%af",
        "\u2025\u2215etc",
        "\uff0e\uff0e\uff0fetc",
        "\u202e4pm.a",
        "\u2028",
        "\ufeff/etc/passwd",
        "a" * 5000,
        "/" + "a/" * 2000,
        f"{root}/{'a' * 300}.mp4",
        f"{root}/{'b/' * 1500}x",
        f"{root}/..",
        f"{root}/.",
        str(root),
        f"{root}/",
        f"{root}x/a.mp4",
        f"{root}/{out}",
        f"{root}/./{out}",
        f"{root}//{out}",
        f"{root}/nothing/../{out}",
        f"{home}/token",
        f"{home}/settings.json",
        f"{home}/jobs.sqlite3",
        f"{home}/speakers/presenter",
        f"{root}/../home/token",
        f"{target.outside}/secret.txt",
        f"{target.outside}/{ESCAPE}.mp4",
        f"/tmp/{ESCAPE}.mp4",
        f"{root}/../{ESCAPE}.mp4",
        "upload:",
        "upload:..",
        "upload:../../token",
        "upload:..%2f..%2ftoken",
        f"upload:{NOBODY}",
        f"upload:{NOBODY}/../x",
        f"upload:{'A' * 32}",
        f"upload:{NOBODY}\n",
        "upload:/etc/passwd",
        "UPLOAD:x",
        "upload:" + "9" * 4000,
        "",
        " ",
        "\n",
        "\t/etc/passwd",
        "/etc/passwd ",
        "/etc/passwd\n",
        *traps(target),
    ]


def fields(target: Target, scale: Scale) -> Counter[str]:
    """Each of those in every field that takes a path, an id or a name."""
    outcomes: Counter[str] = Counter()
    for value in bad_paths(target):
        enrol = {"kind": "enrol", "reference": value, "name": "mallory", "consent": "I agree to be reproduced."}
        request = {"speaker": "presenter", "text": "Hello."}
        specs: list[dict[str, Any]] = [
            enrol,
            {**enrol, "reference": f"upload:{NOBODY}", "name": value},
            {"kind": "line", "request": {"speaker": "presenter", "audio": value}},
            {"kind": "line", "request": {"speaker": value, "text": "Hello."}},
            {"kind": "line", "request": {**request, "line_id": f"{value}/"}},
            {"kind": "line", "request": {**request, "voice_engine": value}},
            {"kind": "line", "request": {**request, "lips_engine": f"{value}/"}},
            {"kind": "line", "request": request, "output": value},
            {"kind": "script", "requests": [request], "output_folder": f"{value}\x00" if value.endswith("/dir.mp4/") else value},
            {"kind": "timeline", "timeline": value},
            {"kind": "timeline", "timeline": f"upload:{NOBODY}", "output": value},
        ]
        for spec in specs:
            # JSON with everything but ASCII escaped, so that lone surrogates and zero characters arrive.
            _submit(target, outcomes, {"spec": spec})
        good = {"spec": {"kind": "line", "request": request}}
        _submit(target, outcomes, {**good, "webhook": value})
        if value.strip():
            target.ask(
                outcomes, "POST", "/v1/tickets", json={"path": f"/v1/takes/{value}/media"} if "/" in value or "\\" in value else {"path": value}
            )
        target.ask(outcomes, "POST", "/v1/speakers", json={"name": "mallory", "reference": value, "consent": "I agree to be reproduced."})
        _post(target, outcomes, "/v1/speakers", {"name": "mallory", "reference": f"upload:{NOBODY}", "consent": f"I agree to this.{value}"})
        made = target.ask(outcomes, "POST", "/v1/uploads", "24", json={"name": value, "size": 10})
        if made is not None and made.status_code == 201:
            target.http.delete(f"/v1/uploads/{made.json()['id']}")
    _addresses(target, outcomes)
    _headers(target, outcomes)
    _queries(target, outcomes)
    _cancel_everything(target)
    return outcomes


def _post(target: Target, outcomes: Counter[str], path: str, body: Any) -> httpx.Response | None:
    content = json.dumps(body).encode("ascii")
    return target.ask(outcomes, "POST", path, content=content, headers={"Content-Type": "application/json"})


def _submit(target: Target, outcomes: Counter[str], body: Any) -> None:
    answer = _post(target, outcomes, "/v1/jobs", body)
    if answer is not None and answer.status_code == 201:
        target.http.post(f"/v1/jobs/{answer.json()['id']}/cancel")


def _addresses(target: Target, outcomes: Counter[str]) -> None:
    """Ids in addresses, sent as they are: a client's library would tidy them up."""
    ids = [
        "..%2f..%2ftoken",
        "%2e%2e%2f%2e%2e%2ftoken",
        "../../token",
        "..%5c..%5ctoken",
        "%252e%252e%252ftoken",
        "%00",
        "a%00b",
        "%c0%ae%c0%ae%c0%af",
        "%2fetc%2fpasswd",
        "....//token",
        "%ff%fe",
        "%",
        "%zz",
        "%u002e",
        "a" * 20000,
        "*",
        "'%20or%20'1'='1",
        "%7f",
        "%0d%0aX-Evil:%201",
        ";",
        "C:%5ca",
        "-1",
    ]
    patterns = [
        ("GET", "/v1/jobs/{}"),
        ("DELETE", "/v1/jobs/{}"),
        ("POST", "/v1/jobs/{}/cancel"),
        ("GET", "/v1/jobs/{}/log"),
        ("GET", "/v1/uploads/{}"),
        ("HEAD", "/v1/uploads/{}"),
        ("DELETE", "/v1/uploads/{}"),
        ("POST", "/v1/uploads/{}/finish"),
        ("GET", "/v1/speakers/{}"),
        ("DELETE", "/v1/speakers/{}"),
        ("GET", "/v1/speakers/{}/poster"),
        ("GET", "/v1/speakers/{}/report"),
        ("GET", "/v1/takes/{}"),
        ("DELETE", "/v1/takes/{}"),
        ("GET", "/v1/takes/{}/media"),
        ("GET", "/v1/takes/{}/captions"),
        ("GET", "/v1/timelines/{}"),
        ("GET", "/v1/jobs/{}/events"),
        ("GET", "/{}"),
        ("GET", "/v1/{}"),
        ("TRACE", "/v1/{}"),
    ]
    for method, pattern in patterns:
        for value in ids:
            path = pattern.format(value)
            expect_refusal(target, outcomes, f"{method} {path} HTTP/1.1\r\n".encode() + target.head("Connection: close"), f"{method} {path[:80]}")
    for start in (
        "GET http://evil.example/v1/jobs",
        "GET //evil.example/v1/x",
        "OPTIONS *",
        "CONNECT evil.example:443",
        "GET \\v1\\jobs",
        "GET v1/jobs",
        "G\x00T /",
    ):
        expect_refusal(target, outcomes, f"{start} HTTP/1.1\r\n".encode() + target.head("Connection: close"), start, allowed="24")


def expect_refusal(target: Target, outcomes: Counter[str], data: bytes, what: str, allowed: str = "4") -> bytes:
    """Send bytes; the answer, or a connection that is closed without one, is counted; a 5xx and silence are problems."""
    began = time.monotonic()
    answer = target.raw(data)
    silent = not answer and time.monotonic() - began > RAW_SECONDS - 0.5
    status = answer[9:12].decode("latin-1") if answer.startswith(b"HTTP/1.1 ") else "waits for more" if silent else "closed"
    outcomes[status] += 1
    if silent:
        target.problem(f"{what}: silence")
    if status.isdigit() and status[0] not in allowed:
        target.problem(f"{what}: {answer[:400]!r}")
    if target.token.encode() in answer or b"Traceback" in answer or b"root:x:" in answer:
        target.problem(f"{what}: the answer tells what it must not")
    return answer


def _headers(target: Target, outcomes: Counter[str]) -> None:
    values = [
        "",
        "-1",
        "\xb2",
        "1e9",
        "0x10",
        "9" * 18,
        "9" * 400,
        "NaN",
        "\xff\xfe",
        "a" * 8000,
        "%00",
        "' or 1=1 --",
        "../../token",
        "*",
        "bytes=--1",
    ]
    upload = target.http.post("/v1/uploads", json={"name": "x", "size": 10}).json()["id"]
    line = json.dumps(target.line("Hello.")).encode()
    for value in values:
        encoded = value.encode("latin-1")
        for name in ("Idempotency-Key", "X-Retake-Client", "X-Retake-Api", "X-Retake-Client-Version"):
            headers = {"Content-Type": b"application/json", name: encoded}
            made = target.ask(outcomes, "POST", "/v1/jobs", "24", content=line, headers=headers)
            if made is not None and made.status_code == 201:
                target.http.post(f"/v1/jobs/{made.json()['id']}/cancel")
        target.ask(outcomes, "GET", f"/v1/jobs/{NOBODY}/events", headers={"Last-Event-ID": encoded})
        target.ask(outcomes, "GET", f"/v1/takes/{NOBODY}/media", headers={"Range": encoded, "If-Range": encoded, "If-None-Match": encoded})
        kind = {"Content-Type": b"application/offset+octet-stream"}
        target.ask(outcomes, "PATCH", f"/v1/uploads/{upload}", content=b"x", headers={**kind, "Upload-Offset": encoded})
        target.ask(outcomes, "POST", "/v1/jobs", "4", content=line, headers={"Content-Type": encoded})
        target.ask(outcomes, "POST", "/v1/jobs", "24", content=line, headers={"Content-Type": b"application/json", "Content-Encoding": encoded})
    target.http.delete(f"/v1/uploads/{upload}")


def _queries(target: Target, outcomes: Counter[str]) -> None:
    values = [
        "",
        "-1",
        "0",
        "9" * 30,
        "1e400",
        "NaN",
        "\x00",
        "%",
        "_%_",
        "'; drop table retake_jobs; --",
        "a" * 15000,
        "\u202e",
        "\ud7ff",
        "[]",
        "true",
        "²",
    ]
    calls = [
        ("/v1/jobs", ("state", "kind", "client", "speaker", "search", "limit", "cursor", "specs")),
        ("/v1/jobs/queue", ("limit",)),
        ("/v1/takes", ("speaker", "limit", "cursor")),
        (f"/v1/jobs/{NOBODY}/log", ("lines",)),
        (f"/v1/jobs/{NOBODY}/events", ("last_event_id", "ticket")),
        (f"/v1/takes/{NOBODY}/media", ("download",)),
    ]
    for path, names in calls:
        for name in names:
            for value in values:
                target.ask(outcomes, "GET", path, "24", params={name: value})
    for value in ["-1", "9" * 30, "²", "1e3"]:
        target.ask(outcomes, "GET", "/v1/events", params={"last_event_id": value})


def callers(target: Target, scale: Scale) -> Counter[str]:
    """Hosts and origins of a page that was pointed at this machine, tokens of all kinds, forged tickets."""
    outcomes: Counter[str] = Counter()
    hosts = [
        "",
        "evil.example",
        f"evil.example:{target.port}",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:127.0.0.1",
        "127.0.0.1@evil.example",
        "localhost.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.2]",
        "127.0.0.2",
        "localhost:0",
        "localhost:99999",
        "localhost:",
        "localhost:x",
        "local host",
        "localhost\t",
        "LOCALHOST.EVIL",
        "a" * 30000,
        "xn--lcalhost-q1a",
        "127.0.0.1,evil.example",
        "[fe80::1%25lo]",
        "\xff",
    ]
    for host in hosts:
        data = f"GET /v1/jobs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.token}\r\nConnection: close\r\n\r\n".encode("latin-1")
        # Blanks around a value do not belong to it; that name is ours.
        expect_refusal(target, outcomes, data, f"host {host[:50]!r}", "42" if host.strip() == "localhost" else "4")
    two = f"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nAuthorization: Bearer {target.token}\r\nConnection: close\r\n\r\n"
    expect_refusal(target, outcomes, two.encode(), "two hosts")
    expect_refusal(
        target, outcomes, f"GET /v1/jobs HTTP/1.1\r\nAuthorization: Bearer {target.token}\r\nConnection: close\r\n\r\n".encode(), "no host"
    )
    expect_refusal(target, outcomes, f"GET /v1/jobs HTTP/1.0\r\nAuthorization: Bearer {target.token}\r\n\r\n".encode(), "HTTP/1.0 without a host")
    origins = [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "file://",
        f"http://127.0.0.1:{target.port + 1}",
        f"https://127.0.0.1:{target.port}",
        "",
        "*",
        "a" * 9000,
    ]
    for origin in origins:
        for method in ("GET", "OPTIONS"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
            answer = target.ask(outcomes, method, "/v1/jobs", headers=headers)
            if answer is not None and "access-control-allow-origin" in answer.headers:
                target.problem(f"origin {origin[:50]} is let in")
    for given in _tokens(target):
        data = b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" + given + b"Connection: close\r\n\r\n"
        answer = expect_refusal(target, outcomes, data, f"token {given[:60]!r}")
        if answer.startswith(b"HTTP/1.1 ") and answer[9:12] not in {b"401", b"400", b"431"}:
            target.problem(f"token {given[:60]!r}: {answer[:100]!r}")
    _tickets(target, outcomes)
    return outcomes


def _tokens(target: Target) -> list[bytes]:
    right = target.token.encode()
    bearers = [
        b"",
        b" ",
        right[:-1],
        right + b"x",
        right[:-1] + bytes([right[-1] ^ 1]),
        right.swapcase(),
        b"\x00",
        b"a" * 30000,
        b"\xff" * 43,
        b"null",
        b"undefined",
        right[::-1],
        right + b"," + right,
        b'"' + right + b'"',
        b"../token",
        b"0" * len(right),
    ]
    lines = [b"Authorization: Bearer " + bearer + b"\r\n" for bearer in bearers]
    others = [
        b"",
        b"Authorization:\r\n",
        b"Authorization: Basic " + right,
        b"Authorization: " + right,
        b"Token: " + right,
        b"Cookie: token=" + right,
        b"Authorization: Bearer x\r\nAuthorization: Bearer " + right,
        b"X-Forwarded-For: 127.0.0.1",
        b"Authorization : Bearer " + right,
    ]
    return lines + [other if not other or other.endswith(b"\r\n") else other + b"\r\n" for other in others]


def _tickets(target: Target, outcomes: Counter[str]) -> None:
    now = int(time.time())
    path = f"/v1/takes/{NOBODY}/media"
    good = signed(target.token, path, now + 60)
    forged = [
        signed(target.token, path, now - 1),
        signed(target.token, path, now + 10**6),
        signed("another token", path, now + 60),
        signed(target.token, "/v1/events", now + 60),
        signed(target.token, path + "x", now + 60),
        good[:-1],
        good + "0",
        good.upper(),
        f"{now + 600}{good[10:]}",
        "",
        ".",
        "." * 9000,
        f"{'9' * 12}.{'0' * 64}",
        f"{'9' * 400}.{'0' * 64}",
        f"-1.{'0' * 64}",
        f"NaN.{'f' * 64}",
        "%00",
        good.replace(".", "\x00."),
        f"²{good}",
    ]
    with_token, target.http.headers["Authorization"] = target.http.headers["Authorization"], ""
    try:
        for ticket in forged:
            answer = target.ask(outcomes, "GET", path, params={"ticket": ticket})
            if answer is not None and answer.status_code not in {401, 400}:
                target.problem(f"the ticket {ticket[:40]} is answered with {answer.status_code}")
        for method, elsewhere in (
            ("POST", path),
            ("DELETE", f"/v1/takes/{NOBODY}"),
            ("GET", f"/v1/takes/{NOBODY}"),
            ("GET", "/v1/jobs"),
            ("GET", f"{path}/"),
            ("GET", "/v1/metrics"),
        ):
            answer = target.ask(outcomes, method, elsewhere, params={"ticket": good})
            if answer is not None and answer.status_code != 401:
                target.problem(f"a ticket opens {method} {elsewhere}: {answer.status_code}")
    finally:
        target.http.headers["Authorization"] = with_token


def bodies(target: Target, scale: Scale) -> Counter[str]:
    """JSON that is none, or too much of it, at every call that takes any."""
    outcomes: Counter[str] = Counter()
    deep = 100_000
    contents = [
        b"",
        b"\x00",
        b"{",
        b"[",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b"{}",
        b"NaN",
        b"Infinity",
        b"1e999",
        b"-" * 9999,
        b"9" * 10_000,
        b'{"size": ' + b"9" * 10_000 + b"}",
        b"[" * deep,
        b"[" * deep + b"]" * deep,
        b'{"a":' * deep + b"1" + b"}" * deep,
        b'{"spec":' * 500 + b"{}" + b"}" * 500,
        b'{"size": NaN}',
        b'{"size": 1e400}',
        b'{"size": -1}',
        b'{"size": 1.5}',
        b'{"size": true}',
        b'{"size": "10"}',
        b'{"size": 9007199254740993}',
        b'{"size": 1, "size": 2, "x": 3}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"name": "\xc0\xae"}',
        b'{"name": "\\ud800", "size": 0}',
        b'{"\\u0000": 1}',
        b'{"a": "' + b"x" * 7_000_000 + b'"}',
        b"[" + b"1," * 1_000_000 + b"1]",
        b"{" + b",".join(b'"k%d": 1' % n for n in range(100_000)) + b"}",
        b'{"__proto__": {"x": 1}}',
        b'{"spec": {"kind": "line"}}',
        b'{"spec": {"kind": ["line"]}}',
        b'{"jobs": [' + b",".join([b"{}"] * 100_000) + b"]}",
        b'{"jobs": [' + b",".join([b'{"spec": {"kind": "line", "request": {"fit": NaN}}}'] * 1001) + b"]}",
        b'{"spec": {"kind": "line", "request": {"speaker": "presenter", "text": "Hi.", "fit": 1e308}}}'.replace(b"1e308", b"-1e308"),
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
    ]
    paths = ["/v1/jobs", "/v1/jobs/batch", "/v1/tickets", "/v1/uploads", "/v1/speakers", "/v1/timelines", f"/v1/jobs/{NOBODY}/move"]
    for path in paths:
        for content in contents:
            target.ask(outcomes, "POST", path, content=content, headers={"Content-Type": "application/json"})
        for mime in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-7",
            "application/xml",
        ):
            target.ask(outcomes, "POST", path, content=b"{}", headers={"Content-Type": mime})
    return outcomes
