"""Sessions against the real interface: orders, transfers, cancelling, a daemon that goes and comes back, and an end that never waits."""

from __future__ import annotations

import hashlib
import os
import select
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_samples import make_speaker, make_take
from breaking_proxy import breaking_proxy
from client_samples import TAKE, Host, host, threads_have_ended, work
from http_daemon import TOKEN, HttpDaemon, http_daemon
from waiting import ENDLESS, PATIENCE, until

import retake
from retake.domain.errors import RetakeError
from retake.domain.job import JobError
from retake.jobs import queue, running
from retake.jobs.events import announce
from retake_client import Client, Connection, link, local_takes, withdrawals
from retake_client.session import ConnectionState, EnrolOrder, FetchOrder, Order, OrderState, Question, SessionSettings

CLIP = os.urandom(3_000_000)
REFERENCE = Path(retake.__file__).parent / "assets" / "presenter" / "presenter.mp4"
CONSENT = "I, Anna K., agree that Retake may speak in my voice."


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpDaemon]:
    home = tmp_path_factory.mktemp("session") / "home"
    with http_daemon(home) as found:
        make_speaker(home)
        make_take(home, 0xA1, clip=CLIP)
        yield found


def settings(daemon: HttpDaemon, folder: Path, port: int | None = None) -> SessionSettings:
    return SessionSettings(address=f"http://127.0.0.1:{port or daemon.port}", token=TOKEN, folder=folder, name="test")


def order(text: str = "We ship on Friday.", **more: object) -> Order:
    return Order(id=os.urandom(8).hex(), key="line 1", request={"speaker": "anna", "text": text, **more}, label="Shot 10")


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon of these tests runs here; where its files must not be used in place, it is taken to run on another machine."""
    monkeypatch.setattr(local_takes, "runs_here", lambda client: False)


def job_of(one: Host, order_id: str) -> str:
    return one.until(lambda now: next((update.job_id for update in now.of(order_id) if update.job_id), ""))


def test_an_order_from_asking_to_its_take(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(monkeypatch)
    with host(settings(daemon, tmp_path / "takes")) as one:
        wish = order()
        one.session.render(wish)
        work(daemon.context.database, job_of(one, wish.id))
        done = one.until_over(wish.id)
    assert (done.state, done.key, done.error) == (OrderState.DONE, "line 1", None)
    take = done.take
    assert take is not None
    assert (take.id, take.frames, str(take.rate), take.shared, take.speaker, take.text) == (TAKE, 30, "30000/1001", False, "anna", "Hello there.")
    assert take.path == str((tmp_path / "takes" / f"{TAKE}.mp4").resolve())
    assert hashlib.sha256(Path(take.path).read_bytes()).hexdigest() == take.sha256
    assert [entry.name for entry in (tmp_path / "takes").iterdir()] == [f"{TAKE}.mp4"]
    states = [update.state for update in one.of(wish.id)]
    assert states[0] in {OrderState.WAITING_FOR_DAEMON, OrderState.SENDING, OrderState.QUEUED}
    ranks = [list(OrderState).index(state) for state in states]
    assert ranks == sorted(ranks), states
    assert threads_have_ended()


def test_a_file_within_reach_is_used_where_it_lies(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path / "takes")) as one:
        one.session.fetch(FetchOrder("fetch", "clip 7", TAKE))
        done = one.until_over("fetch")
    assert done.take is not None and done.take.shared
    assert Path(done.take.path).is_relative_to(daemon.context.home)
    assert not (tmp_path / "takes").exists()


def test_the_same_order_again_is_one_job(daemon: HttpDaemon, tmp_path: Path) -> None:
    wish = order("Only once.")
    with host(settings(daemon, tmp_path)) as one:
        one.session.render(wish)
        one.session.render(wish)
        first = job_of(one, wish.id)
    with host(settings(daemon, tmp_path)) as two:  # the program was started again
        two.session.resume(wish)
        assert job_of(two, wish.id) == first
    urgent = Order(wish.id, wish.key, wish.request, priority="batch")
    with host(settings(daemon, tmp_path)) as three:  # and says it a little differently
        three.session.resume(urgent, first)
        assert job_of(three, wish.id) == first
        work(daemon.context.database, first)
        assert three.until_over(wish.id).state is OrderState.DONE
    with host(settings(daemon, tmp_path)) as four:
        four.session.render(urgent)
        assert four.until_over(wish.id).take is not None
        four.session.render(Order(wish.id, "k", {"speaker": "anna", "text": "Something else."}))
        four.until(lambda now: any(update.state is OrderState.FAILED for update in now.of(wish.id)))
        assert four.updates[-1].error is not None and four.updates[-1].error[2] == "key_reused"
    assert daemon.client().jobs(search="once")["total"] == 1


def test_what_cannot_work_is_told_with_its_remedy(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        for number, (wish, code) in enumerate(
            [
                (Order("a1", "k", {"speaker": "nobody", "text": "Hm."}), "unknown_speaker"),
                (Order("a2", "k", {"speaker": "anna", "text": ""}), "text_empty"),
                (Order("a3", "k", {"text": "Hm."}), "bad_order"),
                (Order("a 4", "k", {"speaker": "anna", "text": "Hm."}), "bad_order"),
                (Order("a5", "k", {"speaker": "anna", "text": "Hm."}, priority="now"), "bad_order"),
            ]
        ):
            one.session.render(wish)
            failed = one.until_over(wish.id)
            assert failed.state is OrderState.FAILED, number
            assert failed.error is not None and failed.error[2] == code
            assert failed.error[0].endswith(".") and failed.error[1]
        wish = order("It will not fit.")
        one.session.render(wish)
        job = job_of(one, wish.id)
        assert running.claim(daemon.context.database, job, 1, "worker") is not None
        why = JobError.of(RetakeError("The line needs 2.4 s.", "Give it 61 frames.", code="does_not_fit"))
        running.fail(daemon.context.database, job, 1, why)
        assert one.until_over(wish.id).error == ("The line needs 2.4 s.", "Give it 61 frames.", "does_not_fit")
        one.session.render(wish, again=True)
        one.until(lambda now: now.of(wish.id)[-1].state is OrderState.QUEUED)


def test_cancelled_stays_cancelled(daemon: HttpDaemon, tmp_path: Path) -> None:
    with breaking_proxy(daemon.port) as proxy, host(settings(daemon, tmp_path, proxy.port)) as one:
        waiting, vanished, unsent = order("First."), order("Second."), order("Third.")
        one.session.render(waiting)
        one.session.render(vanished)
        jobs = [job_of(one, waiting.id), job_of(one, vanished.id)]
        one.session.cancel(waiting.id)
        assert one.until_over(waiting.id).state is OrderState.CANCELLED
        one.until(lambda now: daemon.client().job(jobs[0])["state"] == "cancelled")
        proxy.cut()
        one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
        one.session.render(unsent)
        one.session.cancel(vanished.id)
        one.session.cancel(unsent.id)
        assert one.until_over(vanished.id).state is OrderState.CANCELLED  # at once, though nobody is there
        assert daemon.client().job(jobs[1])["state"] == "queued"
        proxy.refuse = False
        one.until(lambda now: daemon.client().job(jobs[1])["state"] == "cancelled")
        assert one.until_over(unsent.id).state is OrderState.CANCELLED
        one.session.cancel("unknown")
        assert one.of(vanished.id)[-1].state is OrderState.CANCELLED
        assert daemon.client().jobs(search="Third")["total"] == 0


def test_cancelled_stays_cancelled_when_the_program_ends_first(daemon: HttpDaemon, tmp_path: Path) -> None:
    """The daemon is away, and the session ends before it is back: the next session of this program tells it."""
    kept, wanted = order("Taken back for good."), order("Taken back, and wanted again.")
    with breaking_proxy(daemon.port) as proxy:
        own = replace(settings(daemon, tmp_path, proxy.port), home=tmp_path / "home")
        with host(own) as one:
            one.session.render(kept)
            one.session.render(wanted)
            jobs = [job_of(one, kept.id), job_of(one, wanted.id)]
            proxy.refuse = True
            proxy.cut()
            one.until_status(lambda status: status.state is ConnectionState.UNREACHABLE)
            for wish in (kept, wanted):
                one.session.cancel(wish.id)
                one.until_over(wish.id)
        [noted] = (tmp_path / "home" / "client").iterdir()
        assert TOKEN not in noted.read_text(encoding="utf-8")
        assert [daemon.client().job(job)["state"] for job in jobs] == ["queued", "queued"]
        with host(replace(own, name="another"), start=True) as two:  # another program has other orders
            two.session.poll()
        proxy.refuse = False
        with host(own, start=False) as three:
            three.session.render(wanted)
            three.session.start()
            three.until(lambda now: daemon.client().job(jobs[0])["state"] == "cancelled")
            three.until(lambda now: any(update.state is OrderState.QUEUED for update in now.of(wanted.id)))
            three.until(lambda now: not noted.exists())
            assert [update.order_id for update in three.updates if update.order_id != wanted.id] == []
    assert daemon.client().job(jobs[1])["state"] == "queued"
    daemon.client().cancel(jobs[1])


def test_a_note_of_what_was_taken_back_is_short_and_may_be_damaged(tmp_path: Path) -> None:
    notes = withdrawals.Withdrawals(tmp_path / "home", "test", "")
    assert notes.load() == {} and not (tmp_path / "home").exists()
    for number in range(withdrawals.MOST + 5):
        notes.add(f"key-{number}", "")
    found = withdrawals.Withdrawals(tmp_path / "home", "test", "").load()
    assert len(found) == withdrawals.MOST and "key-4" not in found and "key-5" in found
    assert withdrawals.Withdrawals(tmp_path / "home", "test", "http://other:1").load() == {}
    for damaged in ("[", "[]", '{"withdrawn": [1]}', '{"withdrawn": {"a": 1}}', '{"withdrawn": {"a": {"job": "x", "at": 0}}}'):
        notes.path.write_text(damaged, encoding="utf-8")
        assert notes.load() == {}
    notes.path.unlink()
    notes.path.mkdir()
    notes.add("key", "job")  # cannot be written, and nobody is disturbed


def test_a_job_that_somebody_else_cancels(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        wish = order("Cancelled on the dashboard.")
        one.session.render(wish)
        queue.cancel(daemon.context.database, job_of(one, wish.id))
        assert one.until_over(wish.id).state is OrderState.CANCELLED


def test_a_take_that_was_deleted_meanwhile_is_made_again(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        wish = order("Deleted.")
        one.session.render(wish)
        first = job_of(one, wish.id)
        work(daemon.context.database, first, takes=("00000000000000ee",))
        second = one.until(lambda now: next((update.job_id for update in now.of(wish.id) if update.job_id not in {"", first}), ""))
        work(daemon.context.database, second)
        assert one.until_over(wish.id).state is OrderState.DONE


def test_what_happened_while_the_stream_was_broken_is_looked_up(daemon: HttpDaemon, tmp_path: Path) -> None:
    with breaking_proxy(daemon.port) as proxy, host(settings(daemon, tmp_path, proxy.port)) as one:
        wish = order("Meanwhile.")
        one.session.render(wish)
        job = job_of(one, wish.id)
        proxy.cut()
        one.until(lambda now: now.of(wish.id)[-1].state is OrderState.WAITING_FOR_DAEMON)
        work(daemon.context.database, job)
        proxy.refuse = False
        assert one.until_over(wish.id).state is OrderState.DONE


def test_who_sees_that_it_is_ready_sees_the_speakers(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the list takes its time and an event asks for a look in between."""
    real = Client.speakers
    calls: list[int] = []
    looked = threading.Event()

    def slow(self: Client) -> list[dict[str, Any]]:
        calls.append(1)
        looked.wait(PATIENCE)
        return real(self)

    monkeypatch.setattr(Client, "speakers", slow)
    with host(settings(daemon, tmp_path)) as one:
        until(lambda: calls)
        one.session._link.look()
        time.sleep(0.5)  # the look is over, or waits
        assert not one.session.status.state.usable
        looked.set()
        status = until(lambda: one.session.status if one.session.status.state.usable else None, step=0.002)
        assert status is not None and [speaker["name"] for speaker in status.speakers] == ["anna"]


def test_speakers_and_queue_are_kept_fresh(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        one.until_status(lambda status: [speaker["name"] for speaker in status.speakers] == ["anna"])
        make_speaker(daemon.context.home, "ben")
        announce(daemon.context.database, "speaker.deleted", {"name": "carla"})
        one.until_status(lambda status: len(status.speakers) == 2)
        daemon.client().delete_speaker("ben")
        one.until_status(lambda status: len(status.speakers) == 1)
        before = one.session.status.jobs_waiting
        queued = daemon.client().submit({"kind": "line", "request": {"speaker": "anna", "text": "Queued by another."}})
        one.until_status(lambda status: status.jobs_waiting == before + 1)
        daemon.client().cancel(queued["id"])
        one.until_status(lambda status: status.jobs_waiting == before)
        assert one.session.status.version == retake.__version__


def test_enrolling_a_file_of_this_machine(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = tmp_path / "ben talks.mp4"
    shutil.copy(REFERENCE, reference)
    with breaking_proxy(daemon.port) as proxy:
        proxy.rate = 0
        with host(settings(daemon, tmp_path / "out", proxy.port)) as one:
            one.session.enrol(EnrolOrder("e1", "ben", reference, consent=" "))
            assert (one.until_over("e1").error or ("", "", ""))[2] == "consent_missing"
            one.session.enrol(EnrolOrder("e2", "ben", tmp_path / "none.mp4", consent=CONSENT))
            assert (one.until_over("e2").error or ("", "", ""))[2] == "not_readable_here"
            wish = EnrolOrder("e3", "ben", reference, consent=CONSENT, transcript="Hello.", key="strip 4")
            one.session.enrol(wish)
            job = job_of(one, "e3")
            asked = daemon.client().jobs(kinds=("enrol",), specs=True)["jobs"][0]
            assert (asked["id"], asked["spec"]["transcript"], asked["spec"]["consent"]) == (job, "Hello.", CONSENT)
            make_speaker(daemon.context.home, "ben")
            work(daemon.context.database, job, takes=(), speaker="ben")
            done = one.until_over("e3")
            assert done.speaker is not None
            assert (done.state, done.key, done.speaker["name"], done.speaker["quality"]) == (OrderState.DONE, "strip 4", "ben", {"faces": 1.0})
            assert Path(done.speaker["report_file"]).read_text(encoding="utf-8").startswith("<!doctype html>")
            one.until_status(lambda status: "ben" in [speaker["name"] for speaker in status.speakers])
            uploads = len(daemon.client().uploads())
            one.session.enrol(wish)  # a reopened file: nothing is sent again
            one.until(lambda now: len([update for update in now.of("e3") if update.state.over]) == 2)
            assert len(daemon.client().uploads()) == uploads
    daemon.client().delete_speaker("ben")


def test_an_upload_shows_how_far_it_is(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retake_client import transfers

    monkeypatch.setattr(transfers, "PART_BYTES", 60_000)
    with host(settings(daemon, tmp_path)) as one:
        one.session.enrol(EnrolOrder("e9", "dora", REFERENCE, consent=CONSENT))
        job = job_of(one, "e9")
        told = [update.fraction for update in one.of("e9") if update.stage == "Uploading"]
        assert told and told == sorted(told)
        one.session.cancel("e9")
        one.until(lambda now: daemon.client().job(job)["state"] == "cancelled")


def test_anything_else_can_be_asked(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        one.session.ask(Question("q1", "takes", lambda client: client.takes(speaker="anna")["total"]))
        assert one.until_over("q1").answer == 1
        one.session.takes_of("line1", id_="t1")
        one.session.takes_of("line2", id_="t2")
        assert [take["id"] for take in one.until_over("t1").answer] == [TAKE]
        assert one.until_over("t2").answer == []
        one.session.ask(Question("q2", "takes", lambda client: client.take("ffffffffffffffff")))
        assert (one.until_over("q2").error or ("", "", ""))[2] == "unknown_take"
        one.session.ask(Question("q3", "bad", lambda client: 1 // 0))
        assert (one.until_over("q3").error or ("", "", ""))[2] == "unforeseen"


def test_a_folder_that_cannot_be_written(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere(monkeypatch)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with host(settings(daemon, tmp_path / "file")) as one:
        one.session.fetch(FetchOrder("f", "k", TAKE))
        failed = one.until_over("f")
    assert failed.error is not None and failed.error[2] == "not_writable_here"
    assert failed.error[0].startswith(str(tmp_path / "file"))


def test_closing_never_waits(daemon: HttpDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that hangs, a server that accepts and says nothing, and one that was never started: `host` measures the time."""
    elsewhere(monkeypatch)
    monkeypatch.setattr(link, "ANSWER_SECONDS", ENDLESS)
    with breaking_proxy(daemon.port) as proxy, host(settings(daemon, tmp_path, proxy.port)) as one:
        one.until_status(lambda status: status.state.usable)
        proxy.hold = len(CLIP) // 2
        one.session.fetch(FetchOrder("slow", "k", TAKE))
        one.until(lambda now: now.of("slow")[-1].fraction > 0)
    assert threads_have_ended()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with host(SessionSettings(address=address, token=TOKEN)) as two:
            until(lambda: select.select([silent], [], [], 0)[0])  # it has called
            two.session.render(order())
    with host(SessionSettings(address=address, token=TOKEN), start=False) as three:
        three.session.render(order())
    three.session.close()
    three.session.start()
    assert three.session.poll()[0].state is OrderState.WAITING_FOR_DAEMON


def test_many_orders_at_once(daemon: HttpDaemon, tmp_path: Path) -> None:
    wishes = [order(f"Line {number} of many.") for number in range(40)]
    with host(settings(daemon, tmp_path)) as one:
        for wish in wishes:
            one.session.render(wish)
        jobs = [job_of(one, wish.id) for wish in wishes]
        worker = threading.Thread(target=lambda: [work(daemon.context.database, job) for job in jobs])
        worker.start()
        for wish in wishes:
            assert one.until_over(wish.id).state is OrderState.DONE
        worker.join()
    assert len(set(jobs)) == 40


def test_a_status_is_a_value(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        before = one.session.status
        assert before.state is ConnectionState.STARTING
        one.until_status(lambda status: status.state is ConnectionState.NO_WORKER)  # this daemon has no workers
        assert before.state is ConnectionState.STARTING
        read: list[str] = []
        redraw = threading.Thread(target=lambda: read.append(one.session.status.sentence), daemon=True)
        with one.session._link._lock:  # whoever holds it does not hold up a redraw
            redraw.start()
            redraw.join(PATIENCE)
        assert read[0]


def test_the_token_is_in_no_text(daemon: HttpDaemon, tmp_path: Path) -> None:
    with host(settings(daemon, tmp_path)) as one:
        one.until_status(lambda status: status.state.usable)
        texts = [repr(one.session.settings), repr(one.session.status), one.session.status.sentence, repr(Connection(daemon.address, TOKEN))]
    assert not any(TOKEN in text for text in texts)
    assert Client(Connection(daemon.address, TOKEN)).health()
