"""A language model behind the chat-completions API: OpenAI's, or any server that speaks it (`settings.LanguageModelSettings.base_url`).

The answer is asked for as JSON of a given shape, streamed, checked, and repaired once. Nothing but the prompt's own text is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.settings import LanguageModelSettings

if TYPE_CHECKING:
    from openai import OpenAI

OFFICIAL = "https://api.openai.com/v1"
LARGEST_ANSWER = 400_000  # characters; a script of several hours
_PRICES = {"gpt-4.1": (2.0, 8.0), "gpt-4.1-mini": (0.4, 1.6), "gpt-4o": (2.5, 10.0), "gpt-4o-mini": (0.15, 0.6)}  # $ for 10^6 tokens, spring 2025
_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Prompt:
    """What is asked: the rules, and the user's material."""

    system: str
    user: str


@dataclass(frozen=True)
class Usage:
    """Tokens of all requests together, 0 where the server does not count them; `cost` in US dollars, None where the price is not known."""

    requests: int
    sent: int
    received: int
    cost: float | None

    def sentence(self) -> str:
        many = f"{self.requests} request{'s' * (self.requests != 1)}"
        if not self.sent and not self.received:
            return f"{many}; the server did not count tokens."
        cost = "the price of this model is not known" if self.cost is None else f"about ${self.cost:.4f}"
        return f"{self.sent} tokens sent, {self.received} received in {many}: {cost}."


@dataclass(frozen=True)
class Answered(Generic[Answer]):
    """A valid answer and what it cost."""

    value: Answer
    usage: Usage


def request_body(settings: LanguageModelSettings, prompt: Prompt, shape: type[BaseModel]) -> dict[str, Any]:
    """The request exactly as it is sent (`--show` prints it)."""
    return {
        "model": settings.model,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": shape.__name__, "schema": _closed(shape.model_json_schema()), "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def address(settings: LanguageModelSettings) -> str:
    """Base address of the server; raises RetakeError for one that the key must not be sent to."""
    url = settings.base_url.strip().rstrip("/") or OFFICIAL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RetakeError(
            f"'{url}' is no address of a language model.", "Give one such as https://api.openai.com/v1 in the settings.", code="bad_model_address"
        )
    if parts.username or parts.password:
        raise RetakeError(
            "The address of the language model holds a password.", "Keep the key apart: 'retake model set-key'.", code="bad_model_address"
        )
    if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
        cause = f"The language model at {parts.hostname} would be spoken to without encryption."
        raise RetakeError(cause, "Use https, or a server on this machine.", code="bad_model_address")
    return url


class LanguageModel:
    """Asks one model. `key` is never kept anywhere but in memory, and in no message."""

    def __init__(self, settings: LanguageModelSettings, key: str) -> None:
        self._settings = settings
        self._key = key
        self._address = address(settings)
        self._sent = self._received = self._requests = 0

    def ask(
        self,
        prompt: Prompt,
        shape: type[Answer],
        progress: Progress,
        *,
        check: Callable[[Answer], str | None] | None = None,
        heard: Callable[[str], None] | None = None,
    ) -> Answered[Answer]:
        """One valid answer.

        Args:
            shape: what the answer has to be.
            check: says what is wrong with an answer of the right shape (it takes too long), or None. It gets one more try as well, and that
                one is taken however it is: what the check means is the caller's to tell.
            heard: is given every piece of the answer as it arrives.

        Raises RetakeError: refused key, unknown model, too many requests, no connection, time-out, an answer that stays unusable.
        """
        body = request_body(self._settings, prompt, shape)
        text = self._complete(body, progress, heard)
        value, wrong = _read(text, shape)
        if value is not None and check is not None:
            wrong = check(value) or ""
        if wrong:
            again = f"That answer cannot be used: {wrong} Answer again, whole, as JSON of the same shape and nothing else."
            body["messages"] += [{"role": "assistant", "content": text[:20_000] or "(nothing)"}, {"role": "user", "content": again}]
            second, still = _read(self._complete(body, progress, heard), shape)
            value = second if second is not None else value
            if value is None:
                raise RetakeError(
                    f"The language model '{self._settings.model}' did not answer in a usable form, twice ({still[:200]}).",
                    "Try again, or use a model that follows a JSON schema.",
                    kind=ErrorKind.ENVIRONMENT,
                    code="model_answer",
                )
        assert value is not None
        return Answered(value, self._usage())

    def _usage(self) -> Usage:
        settings = self._settings
        price: tuple[float, float] | None = None
        if settings.dollars_sent or settings.dollars_received:
            price = settings.dollars_sent, settings.dollars_received
        elif not settings.base_url:
            price = _PRICES.get(settings.model)
        counted = self._sent + self._received > 0
        cost = (self._sent * price[0] + self._received * price[1]) / 1e6 if price and counted else None
        return Usage(self._requests, self._sent, self._received, cost)

    def _complete(self, body: dict[str, Any], progress: Progress, heard: Callable[[str], None] | None) -> str:
        """The whole text of one answer. Servers that know no JSON schemas are asked for plain JSON."""
        import httpx2
        import openai

        # The client lets what breaks in the middle of an answer through as it comes: of the connection, of events, of their text.
        broken = (openai.OpenAIError, httpx2.HTTPError, ValueError)
        with self._client() as client:
            try:
                return self._stream(client, body, progress, heard)
            except openai.BadRequestError as error:
                try:
                    return self._stream(client, _without_schema(body), progress, heard)
                except broken:
                    raise _explained(error, self._settings, self._address) from None
            except broken as error:
                raise _explained(error, self._settings, self._address) from None

    def _client(self) -> OpenAI:
        from openai import OpenAI

        return OpenAI(
            api_key=self._key, base_url=self._address, timeout=self._settings.timeout, max_retries=self._settings.retries,
            organization=None, project=None,
        )  # fmt: skip

    def _stream(self, client: OpenAI, body: dict[str, Any], progress: Progress, heard: Callable[[str], None] | None) -> str:
        parts: list[str] = []
        length = 0
        self._requests += 1
        with client.chat.completions.create(**body) as stream:
            for piece, reason in self._pieces(stream):
                progress.check()
                length += len(piece)
                if length > LARGEST_ANSWER:
                    raise RetakeError(
                        "The language model's answer does not end.",
                        "Ask for less at once, or try again.",
                        kind=ErrorKind.ENVIRONMENT,
                        code="model_answer",
                    )
                parts.append(piece)
                if piece and heard is not None:
                    heard(piece)
                if reason == "length":
                    raise RetakeError(
                        "The language model's answer was cut off.", "Ask for a shorter script.", kind=ErrorKind.ENVIRONMENT, code="model_answer"
                    )
                if reason == "content_filter":
                    raise RetakeError(
                        "The language model refused this.", "Word the brief in another way.", kind=ErrorKind.REFUSED, code="model_refused"
                    )
        return "".join(parts)

    def _pieces(self, stream: Any) -> Iterator[tuple[str, str | None]]:
        refusal: list[str] = []
        for chunk in stream:
            if chunk.usage is not None:
                self._sent += chunk.usage.prompt_tokens or 0
                self._received += chunk.usage.completion_tokens or 0
            for choice in (chunk.choices or [])[:1]:
                delta = choice.delta
                refusal += [delta.refusal] if delta is not None and getattr(delta, "refusal", None) else []
                yield (delta.content or "") if delta is not None else "", choice.finish_reason
        if refusal:
            raise RetakeError(
                f"The language model refused this: {''.join(refusal)[:200]}",
                "Word the brief in another way.",
                kind=ErrorKind.REFUSED,
                code="model_refused",
            )


def _without_schema(body: dict[str, Any]) -> dict[str, Any]:
    """The same request with the shape of the answer in words."""
    plain = {name: value for name, value in body.items() if name not in {"response_format", "stream_options"}}
    rules, *rest = body["messages"]
    schema = json.dumps(body["response_format"]["json_schema"]["schema"])
    told = f"{rules['content']}\n\nAnswer with JSON of this schema and nothing else: {schema}"
    return plain | {"messages": [{"role": "system", "content": told}, *rest]}


def _read(text: str, shape: type[Answer]) -> tuple[Answer | None, str]:
    """The answer, or what is wrong with it. Models that were not held to a schema like to wrap JSON into prose or a code block."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end <= begin:
        return None, "it holds no JSON object."
    try:
        return shape.model_validate_json(text[begin : end + 1]), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the JSON"
        return None, f"{where}: {first['msg']}."


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema as strict answers need it: no other keys, every key required, and without limits that servers do not know."""
    out: dict[str, Any] = {}
    for name, value in schema.items():
        if name in {"title", "default", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern"} and not isinstance(
            value, dict
        ):
            continue
        if name in {"properties", "$defs"}:
            out[name] = {key: _closed(inner) for key, inner in value.items()}
        else:
            out[name] = _closed(value) if isinstance(value, dict) else value
    if out.get("type") == "object":
        out |= {"additionalProperties": False, "required": list(out.get("properties", {}))}
    return out


def _explained(error: Exception, settings: LanguageModelSettings, where: str) -> RetakeError:
    """What a user can make of an error of the client. The server's own words may hold the key and are kept short and without it."""
    import httpx2
    import openai

    host = urlsplit(where).netloc
    kind = ErrorKind.ENVIRONMENT
    if isinstance(error, (openai.APITimeoutError, httpx2.TimeoutException)):
        cause = f"The language model at {host} did not answer within {settings.timeout:g} s."
        return RetakeError(cause, "Try again, or set language_model.timeout higher.", kind=kind, code="model_timeout")
    if isinstance(error, (openai.APIConnectionError, httpx2.TransportError)):
        return RetakeError(
            f"The language model at {host} cannot be reached.", "Check the network, and language_model.base_url.", kind=kind, code="model_unreachable"
        )
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return RetakeError(f"{host} does not accept the key.", "Set a valid one: 'retake model set-key'.", kind=ErrorKind.REFUSED, code="model_key")
    if isinstance(error, openai.RateLimitError):
        return RetakeError(
            f"{host} takes no more requests now (too many, or the account is out of credit).",
            "Wait a minute, or look at your account there.", kind=kind, code="model_busy",
        )  # fmt: skip
    if isinstance(error, openai.NotFoundError):
        return RetakeError(
            f"{host} has no model '{settings.model}'.", "Set language_model.model to one that it has.", kind=ErrorKind.NOT_FOUND, code="model_unknown"
        )
    if isinstance(error, openai.APIStatusError):
        return RetakeError(f"{host} answered with error {error.status_code}.", "Try again later.", kind=kind, code="model_failed")
    return RetakeError(
        f"The answer of {host} cannot be read.", "Check language_model.base_url: it has to speak OpenAI's API.", kind=kind, code="model_failed"
    )
