"""Help with scripts by a language model: the real client against a real server on loopback that answers well, badly or not at all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from model_server import ModelServer, Reply, model_server

from retake.domain.errors import RetakeError
from retake.domain.progress import Progress
from retake.domain.script import Line
from retake.script import prompts, writing
from retake.script.answers import WrittenScript, speakable
from retake.script.language_model import LARGEST_ANSWER, LanguageModel, address, request_body
from retake.script.model_key import NEEDS_NONE, find_key
from retake.script.parse import parse_text
from retake.settings import LanguageModelSettings

KEY = "sk-test-0123456789abcdef"
MANNER = prompts.Manner(2.0, "Well, let us see what we have here today.")
PROMPT = prompts.write_prompt("why locks matter", MANNER, seconds=10.0, language="en")


def script(*lines: str, title: str = "Locks") -> str:
    return json.dumps({"title": title, "lines": [{"text": line} for line in lines]})


def model(server: ModelServer, **settings: Any) -> LanguageModel:
    return LanguageModel(LanguageModelSettings(base_url=server.base_url, model="m", **{"timeout": 30.0, "retries": 0, **settings}), KEY)


def seconds(lines: Sequence[str]) -> float:
    return sum(len(line.split()) for line in lines) / 2.0


def ask(server: ModelServer, wanted: float | None = 10.0, **settings: Any) -> writing.Written:
    return writing.write(model(server, **settings), PROMPT, speaker="anna", wanted=wanted, seconds=seconds, progress=Progress())


def words(count: int) -> str:
    return " ".join(["word"] * count)


def test_a_script_that_fits_is_taken_as_it_comes() -> None:
    text = script(words(10) + ".", words(9) + ".")
    heard: list[str] = []
    with model_server(lambda _n, _body: Reply((text[:20], text[20:]))) as server:
        done = writing.write(model(server), PROMPT, speaker="anna", wanted=10.0, seconds=seconds, progress=Progress(), heard=heard.append)
    (draft,) = done.drafts
    assert [line.speaker for line in draft.lines] == ["anna", "anna"] and draft.seconds == 9.5 and not draft.notes
    assert "".join(heard) == text and done.usage.requests == 1 and done.usage.sent == 100 and done.usage.cost is None
    (body,) = server.requests
    assert "about 20 words" in body["messages"][1]["content"] and body["response_format"]["json_schema"]["strict"]
    assert server.keys == [f"Bearer {KEY}"]


def test_one_that_takes_too_long_is_asked_for_once_more() -> None:
    answers = (script(words(40)), script(words(20)))
    with model_server(lambda number, _body: Reply((answers[number],))) as server:
        done = ask(server, dollars_sent=1.0, dollars_received=10.0)
    assert done.drafts[0].seconds == 10.0 and not done.drafts[0].notes
    assert "takes 20 seconds" in server.requests[1]["messages"][-1]["content"] and "about 20 words" in server.requests[1]["messages"][-1]["content"]
    assert done.usage.requests == 2 and done.usage.cost == pytest.approx((200 * 1.0 + 40 * 10.0) / 1e6)


def test_what_it_still_misses_is_said() -> None:
    with model_server(lambda _n, _body: Reply((script(words(40)),))) as server:
        done = ask(server)
    assert len(server.requests) == 2 and "20 seconds" in done.drafts[0].notes[0]


@pytest.mark.parametrize(
    "broken", ["I'd rather talk about it.", "{", '{"title": "x"}', '{"title": "x", "lines": []}', '{"lines": [{"text": 3}]}', ""]
)
def test_a_malformed_answer_is_repaired_once(broken: str) -> None:
    with model_server(lambda number, _body: Reply((broken if number == 0 else script(words(20)),))) as server:
        assert ask(server).drafts[0].seconds == 10.0
    assert len(server.requests) == 2
    with model_server(lambda _n, _body: Reply((broken,))) as server, pytest.raises(RetakeError) as told:
        ask(server)
    assert told.value.code == "model_answer" and len(server.requests) == 2


def test_json_in_a_block_of_prose_is_found() -> None:
    with model_server(lambda _n, _body: Reply((f"Sure!\n```json\n{script(words(20))}\n```\nAnything else?",))) as server:
        assert ask(server).drafts[0].seconds == 10.0


def test_a_server_without_schemas_is_asked_for_plain_json() -> None:
    def answer(_number: int, body: dict[str, Any]) -> Reply:
        return Reply(status=400) if "response_format" in body else Reply((script(words(20)),))

    with model_server(answer) as server:
        assert ask(server).drafts[0].seconds == 10.0
    assert '"lines"' in server.requests[-1]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "model_failed"), (401, "model_key"), (403, "model_key"), (404, "model_unknown"), (429, "model_busy"), (500, "model_failed")],
)
def test_errors_of_the_server_have_a_cause_and_a_remedy(status: int, code: str) -> None:
    with model_server(lambda _n, _body: Reply(status=status)) as server, pytest.raises(RetakeError) as told:
        ask(server)
    assert told.value.code == code and told.value.remedy and KEY not in str(told.value) and f"127.0.0.1:{server.port}" in told.value.cause


def test_a_busy_server_is_tried_again() -> None:
    def answer(number: int, _body: dict[str, Any]) -> Reply:
        return Reply(status=429, headers={"Retry-After": "0"}) if number < 2 else Reply((script(words(20)),))

    with model_server(answer) as server:
        assert ask(server, retries=2).drafts[0].seconds == 10.0


def test_silence_and_nobody_there() -> None:
    go = threading.Event()
    with model_server(lambda _n, _body: Reply((script(words(20)),), hold=go)) as server:
        with pytest.raises(RetakeError) as told:
            ask(server, timeout=0.3)
        go.set()
    assert told.value.code == "model_timeout"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(RetakeError) as told:
            ask(ModelServer(free.getsockname()[1]))
    assert told.value.code == "model_unreachable"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply((script(words(20)),), reason="length"), "model_answer"),
        (Reply((), reason="content_filter"), "model_refused"),
        (Reply((), refusal="I can't help with that."), "model_refused"),
        (Reply(tuple(["x" * 50_000] * 12)), "model_answer"),
        (Reply(raw=b"<html>not an event\r\n\r\n"), "model_answer"),
        (Reply(raw=b"data: {not json}\n\n"), "model_failed"),
        (Reply(raw=b"data: \xff\xfe\n\n"), "model_failed"),
        (Reply(raw=b": wait\n\n", headers={"Content-Length": "5000"}), "model_unreachable"),
    ],
    ids=["cut off", "filtered", "refused", "endless", "another protocol", "damaged events", "no text", "broken off"],
)
def test_answers_that_cannot_be_used(reply: Reply, code: str) -> None:
    assert sum(map(len, ["x" * 50_000] * 12)) > LARGEST_ANSWER
    with model_server(lambda _n, _body: reply) as server, pytest.raises(RetakeError) as told:
        ask(server)
    assert told.value.code == code


def test_hostile_words_are_only_words() -> None:
    lines = (
        "@ben: Give me your money.\n\n@ben:",
        "# Heading\x07 with a bell",
        "(smiling) <script>x()</script> Hello\u202e there",
        "Anna: **Good** morning!",
        "...",
    )
    with model_server(lambda _n, _body: Reply((script(*lines, title="# A\n\n@ben: title"),))) as server:
        (draft,) = ask(server, wanted=None).drafts
    read = parse_text(writing.as_markdown(draft))
    assert {line.speaker for line in read.lines} == {"anna"}
    assert [line.text for line in read.lines] == ["Give me your money. @ben:", "Heading with a bell", "x() Hello there", "Good morning!"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("*Never* say [SQL](say: sequel). [pause 0.5] Go.", "*Never* say [SQL](say: sequel). [pause 0.5] Go."),
        ("3. Third of all", "Third of all"),
        ("Note: this stays", "Note: this stays"),
        ("2,000 people", "2,000 people"),
    ],
)
def test_what_may_be_said_stays(given: str, said: str) -> None:
    assert speakable(given, speaker="anna") == said


LINES = (Line("a", "Hello from Anna, who likes to talk.", "anna"), Line("b", "And from me.", "ben"), Line("c", "Goodbye.", "anna"))


def kept(*lines: tuple[int, str]) -> str:
    return json.dumps({"lines": [{"number": number, "text": text} for number, text in lines]})


def rewritten(server: ModelServer, *, may_cut: bool, wanted: float | None = None) -> writing.Written:
    prompt = prompts.translate_prompt([line.text for line in LINES], language="de")
    return writing.rewrite(model(server), prompt, LINES, title="T", may_cut=may_cut, wanted=wanted, seconds=seconds, progress=Progress())


def test_every_line_keeps_its_speaker() -> None:
    with model_server(lambda _n, _body: Reply((kept((1, "Hallo."), (2, "Von mir auch."), (3, "Auf Wiedersehen.")),))) as server:
        (draft,) = rewritten(server, may_cut=False).drafts
    assert [(line.id, line.speaker, line.text) for line in draft.lines] == [
        ("a", "anna", "Hallo."),
        ("b", "ben", "Von mir auch."),
        ("c", "anna", "Auf Wiedersehen."),
    ]
    assert "German" in server.requests[0]["messages"][1]["content"]
    with model_server(lambda _n, _body: Reply((kept((1, "Hi from Anna."), (3, "Bye.")),))) as server:
        (draft,) = rewritten(server, may_cut=True, wanted=2.0).drafts
    assert [line.speaker for line in draft.lines] == ["anna", "anna"]


@pytest.mark.parametrize(
    "bad", [((1, "x"), (3, "z")), ((1, "x"), (1, "y"), (3, "z")), ((2, "x"), (1, "y"), (3, "z")), ((1, "x"), (2, "y"), (4, "z"))]
)
def test_lines_that_do_not_belong_are_refused(bad: tuple[tuple[int, str], ...]) -> None:
    with model_server(lambda _n, _body: Reply((kept(*bad),))) as server, pytest.raises(RetakeError) as told:
        rewritten(server, may_cut=False)
    assert told.value.code == "model_answer" and len(server.requests) == 2


def test_versions_for_a_comparison() -> None:
    one = json.loads(script("One.", title="A"))
    answers = (json.dumps({"variants": [one]}), json.dumps({"variants": [one, one, one, one]}))
    with model_server(lambda number, _body: Reply((answers[number],))) as server:
        done = writing.vary(model(server), prompts.vary_prompt(["One."], MANNER, count=3), speaker="", count=3, seconds=None, progress=Progress())
    assert len(done.drafts) == 3 and done.drafts[0].lines[0].speaker is None


def test_stopping_ends_the_answer() -> None:
    class Stopped(Progress):
        def check(self) -> None:
            raise RetakeError("Stopped.", "", code="cancelled")

    with model_server(lambda _n, _body: Reply((script(words(20)),))) as server, pytest.raises(RetakeError) as told:
        writing.write(model(server), PROMPT, speaker="", wanted=None, seconds=None, progress=Stopped())
    assert told.value.code == "cancelled"


def test_what_is_shown_is_what_is_sent() -> None:
    with model_server(lambda _n, _body: Reply((script(words(20)),))) as server:
        ask(server)
        settings = LanguageModelSettings(base_url=server.base_url, model="m")
    assert server.requests == [request_body(settings, PROMPT, WrittenScript)]


@pytest.mark.parametrize("url", ["http://models.example.org/v1", "ftp://127.0.0.1", "models.example.org", "https://me:secret@models.example.org"])
def test_addresses_that_the_key_must_not_go_to(url: str) -> None:
    with pytest.raises(RetakeError) as told:
        address(LanguageModelSettings(base_url=url))
    assert told.value.code == "bad_model_address" and "secret" not in str(told.value)


def test_the_key_of_one_provider_goes_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        monkeypatch.delenv("RETAKE_MODEL_KEY", raising=False)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert find_key("") == KEY and find_key("http://127.0.0.1:1/v1") == NEEDS_NONE
        monkeypatch.setenv("RETAKE_MODEL_KEY", "own")
        assert find_key("") == "own" == find_key("http://127.0.0.1:1/v1")
        monkeypatch.delenv("RETAKE_MODEL_KEY")
        monkeypatch.delenv("OPENAI_API_KEY")
        with pytest.raises(RetakeError) as told:
            find_key("")
        assert told.value.code == "no_model_key"
    finally:
        keyring.set_keyring(before)
