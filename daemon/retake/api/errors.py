"""What goes wrong, as the API tells it: one JSON shape with a status that follows from the error, and its documentation."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from retake.api.resource_errors import RESOURCES
from retake.domain.errors import ErrorKind, RetakeError

log = logging.getLogger(__name__)

# Status of an error by its kind, and by its code where the kind is too coarse.
STATUS_OF_KIND: dict[ErrorKind, int] = {
    ErrorKind.BAD_INPUT: 400,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ENVIRONMENT: 503,
    ErrorKind.REFUSED: 403,
    ErrorKind.CANCELLED: 409,
}
STATUS_OF_CODE: dict[str, int] = {
    "wrong_state": 409,
    "key_reused": 409,
    "speaker_exists": 409,
    "speaker_in_use": 409,
    "disk_full": 507,
    "not_writable": 507,
    "home_not_writable": 507,
    "output_not_writable": 507,
}
# Codes of the HTTP layer itself: status, cause and remedy, as the documentation shows them.
CATALOGUE: dict[str, tuple[int, str, str]] = {
    "bad_request": (400, "The request cannot be read.", "Send HTTP/1.1 with one Host header."),
    "bad_json": (400, "The body is not JSON.", "Send a JSON object."),
    "no_token": (401, "The request carries no token.", "Send the header 'Authorization: Bearer TOKEN' with the token of the connection file."),
    "wrong_token": (401, "The token is wrong.", "Read the connection file again: the token changes when the daemon is set up anew."),
    "wrong_origin": (403, "Web pages of https://example.org may not call this daemon.", "Add the page to server.origins in settings.json."),
    "bad_hint": (400, "'[pause 40]' is no pause.", "Write 0.2 to 10 seconds, such as [pause 0.4]."),
    "bad_move": (400, "A job cannot be put before itself.", "Name another job."),
    "bad_rate": (400, "'0' is not a frame rate.", "Give frames per second from 1 to 240, such as 25, 29.97 or 30000/1001."),
    "bad_size": (400, "Width and height go together.", "Give both, for example 1920x1080."),
    "text_empty": (400, "The text is empty.", "Give the words that shall be said."),
    "text_language": (400, "The text holds Greek letters, which the embedded voice cannot speak.", "It speaks English."),
    "text_too_long": (400, "The text has 12,000 characters; one line may have 10,000.", "Split it into several lines."),
    "bad_language": (400, "'Klingon' is no language.", "Give its tag, for example en, de or pt-br."),
    "engine_language": (400, "The engine 'embedded' does not speak German (de).", "Run 'retake engines install xtts --accept-licence'."),
    "unknown_engine": (400, "There is no voice engine 'loud'.", "Engines: embedded."),
    "not_found": (404, "There is nothing at this address.", "See /v1/openapi.json for the addresses there are."),
    "unknown_job": (404, "There is no job '4f2c'.", "List the jobs to see which there are."),
    "unknown_speaker": (404, "There is no speaker 'anna'.", "Known speakers: ben, carla."),
    "unknown_take": (404, "There is no take '4f2c'.", "List the takes to see which there are."),
    "wrong_method": (405, "This address does not take DELETE.", "Use GET."),
    "slow_body": (408, "The body did not arrive in time.", "Send the request again."),
    "wrong_state": (409, "A job that is running cannot be retried.", "Possible: claimed, cancelled."),
    "key_reused": (409, "The idempotency key 'a1' was used for another request.", "Use a new key for a new request."),
    "speaker_exists": (409, "There is a speaker 'anna' already.", "Choose another name, or replace it."),
    "body_too_large": (413, "The body is larger than 8 MiB.", "Send less at once; files go to /v1/uploads."),
    "wrong_content_type": (415, "The body is text/plain.", "Send it as application/json."),
    "wrong_host": (421, "This daemon is not addressed as 'example.org'.", "Use 127.0.0.1, or add the name to server.hosts in settings.json."),
    "invalid": (422, "body.spec.kind: Field required.", "See /v1/openapi.json for what is expected."),
    "version_mismatch": (426, "The client speaks version 2 of the interface, the daemon version 1.", "Update Retake on the daemon's machine."),
    "internal": (500, "Something of Retake's own went wrong.", "The log of the daemon tells more; look for 4f2c81d09a3b."),
    "unreadable_job": (503, "The job '4f2c' was written by another version of Retake and cannot be read.", "Update Retake."),
    "no_database": (503, "The database cannot be used.", "Check that it runs and that the disk has space, then try again."),
    "engine_not_installed": (404, "The voice engine 'pocket' is not installed.", "Install it with 'retake engines install pocket'."),
    "engine_outdated": (503, "The voice engine 'pocket' cannot be used: its files are gone.", "Run 'retake engines install pocket'."),
    "not_ready": (503, "No worker is ready.", "See the log of the daemon."),
    "too_many_streams": (503, "256 event streams are open.", "Close some, or try again later."),
    "disk_full": (507, "The disk has 1.2 MB left; 4.1 GB are needed.", "Make space, then try again."),
    "not_writable": (507, "The file cannot be written.", "Check that the disk has space and its folder's permissions."),
    **RESOURCES,
}
# What any call can be answered with; routes add their own.
COMMON = ("bad_request", "no_token", "wrong_token", "wrong_origin", "wrong_host", "invalid", "version_mismatch", "internal", "no_database")
WITH_BODY = ("bad_json", "slow_body", "body_too_large", "wrong_content_type")


class ErrorDetail(BaseModel):
    """One place of a request that is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(description="where in the request", examples=["body.spec.request.seed"])
    message: str = Field(examples=["Input should be less than or equal to 2147483647"])


class ErrorBody(BaseModel):
    """Why a call failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(description="stable name of this error, for programs", examples=["unknown_speaker"])
    kind: str = Field(description="bad_input, not_found, environment, refused, cancelled or internal", examples=["not_found"])
    cause: str = Field(description="what is wrong, for people", examples=["There is no speaker 'anna'."])
    remedy: str = Field(description="what to do about it", examples=["Known speakers: ben, carla."])
    fields: list[ErrorDetail] | None = Field(default=None, description="places of the request that are wrong")
    id: str | None = Field(default=None, description="look for this in the log of the daemon")


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: ErrorBody


REFERENCE = "#/components/schemas/ErrorAnswer"


class Problem(RetakeError):
    """An error of the HTTP layer, with its status and headers. Cause and remedy are those of the catalogue unless given."""

    def __init__(
        self,
        code: str,
        cause: str = "",
        remedy: str = "",
        *,
        kind: ErrorKind = ErrorKind.BAD_INPUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        status, usual_cause, usual_remedy = CATALOGUE[code]
        super().__init__(cause or usual_cause, remedy or usual_remedy, kind=kind, code=code)
        self.status = status
        self.headers = dict(headers or {})


def status_of(error: RetakeError) -> int:
    """The HTTP status that an error is answered with."""
    if isinstance(error, Problem):
        return error.status
    if error.code in CATALOGUE:
        return CATALOGUE[error.code][0]
    if error.code in RESOURCES:
        return RESOURCES[error.code][0]
    return STATUS_OF_CODE.get(error.code, STATUS_OF_KIND[error.kind])


def body_of(error: RetakeError) -> dict[str, Any]:
    return {"error": {"code": error.code, "kind": error.kind.name.lower(), "cause": error.cause, "remedy": error.remedy}}


def answer(error: RetakeError) -> JSONResponse:
    """The answer that tells of `error`."""
    status = status_of(error)
    headers = dict(error.headers) if isinstance(error, Problem) else {}
    if status in {503, 507}:
        headers.setdefault("Retry-After", "5")
    return JSONResponse(_clean(body_of(error)), status, headers)


def internal(error: Exception, where: str) -> JSONResponse:
    """Answer for an error that nobody foresaw: an id for the user, the traceback for the log."""
    id_ = secrets.token_hex(6)
    log.error("unforeseen error %s at %s", id_, where, exc_info=error)
    body = {"code": "internal", "kind": "internal", "cause": CATALOGUE["internal"][1], "remedy": f"The log of the daemon tells more; look for {id_}."}
    return JSONResponse({"error": {**body, "id": id_}}, 500)


def documented(*codes: str, body: bool = False, **others: Sequence[str]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the errors with these codes of the catalogue, besides those that any call can have.

    Args:
        body: whether the route takes a JSON body.
        others: errors that are not in the catalogue, as code=(status, cause, remedy).
    """
    entries = {code: CATALOGUE[code] for code in (*COMMON, *(WITH_BODY if body else ()), *codes)}
    entries |= {code: (int(status), str(cause), str(remedy)) for code, (status, cause, remedy) in others.items()}
    by_status: dict[int, dict[str, tuple[int, str, str]]] = {}
    for code, entry in entries.items():
        by_status.setdefault(entry[0], {})[code] = entry
    return {status: _document(found) for status, found in sorted(by_status.items())}


def _document(entries: Mapping[str, tuple[int, str, str]]) -> dict[str, Any]:
    examples = {
        code: {"summary": cause, "value": {"error": {"code": code, "kind": _kind(status), "cause": cause, "remedy": remedy}}}
        for code, (status, cause, remedy) in entries.items()
    }
    # Named by hand: for a route that answers with something else than JSON, FastAPI would say that its errors are that too.
    content = {"schema": {"$ref": REFERENCE}, "examples": examples}
    return {"description": f"Errors: {', '.join(entries)}.", "content": {"application/json": content}}


def schemas() -> dict[str, Any]:
    """The schemas of errors, for the components of the OpenAPI document."""
    schema = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ErrorAnswer": schema}


def _kind(status: int) -> str:
    if status == 500:
        return "internal"
    kinds = {401: "refused", 403: "refused", 404: "not_found", 421: "refused", 503: "environment", 507: "environment"}
    return kinds.get(status, "bad_input")


def install(app: FastAPI) -> None:
    """Have all errors of `app` answered in the one shape."""
    app.add_exception_handler(RetakeError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RetakeError)
    return answer(error)


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        return answer(Problem("bad_json"))
    fields = [{"field": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])} for item in found[:20]]
    first = fields[0] if fields else {"field": "request", "message": "It is not as expected"}
    problem = Problem("invalid", f"{first['field']}: {first['message'].rstrip('.')}.")
    body = body_of(problem)
    body["error"]["fields"] = fields
    return JSONResponse(_clean(body), problem.status)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        problem = Problem("not_found", kind=ErrorKind.NOT_FOUND)
    elif error.status_code == 405:
        allowed = ", ".join(methods_at(request.app, request.url.path)) or (error.headers or {}).get("Allow", "")
        cause = f"This address does not take {request.method[:20]}."
        problem = Problem("wrong_method", cause, f"Use {allowed or 'another method'}.", headers={"Allow": allowed})
    else:
        problem = Problem("bad_json" if "body" in str(error.detail) else "bad_request")
    return answer(problem)


def methods_at(app: FastAPI, path: str) -> list[str]:
    """Methods that the address `path` takes, of all routes there (the router tells those of the first one only)."""
    described = app.openapi()["paths"]
    if path in described:  # an address of its own goes before one with a gap
        return sorted(method.upper() for method in described[path])
    found: set[str] = set()
    for pattern, operations in described.items():
        literal = re.split(r"\{[^}]*\}", pattern)
        if re.fullmatch("[^/]+".join(map(re.escape, literal)), path):
            found |= {method.upper() for method in operations}
    return sorted(found)


def _clean(body: dict[str, Any]) -> dict[str, Any]:
    """`body` without half characters (lone surrogates), which can come with a request and cannot be sent back."""
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
