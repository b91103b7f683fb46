"""A session, a real daemon and a real render: killed in the middle, back at another port; the take arrives once."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from client_samples import host
from daemon_process import daemon
from enrolled import EnrolledHome

from retake_client import Client
from retake_client.session import ConnectionState, Order, OrderState, SessionSettings

TEXT = "We ship on Friday, after the last test has passed and everybody has looked at it."


def test_a_daemon_killed_in_the_middle_of_an_order(presenter_home: EnrolledHome, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(presenter_home.path, home, ignore=shutil.ignore_patterns("takes", "jobs.sqlite3*", "daemon.*", "logs"))
    home.chmod(0o700)
    folder = tmp_path / "takes"
    wish = Order(id=os.urandom(8).hex(), key="line 1", request={"speaker": "presenter", "text": TEXT, "width": 320, "height": 180}, label="Shot 10")
    ports: list[str] = []
    with host(SessionSettings(home=home, folder=folder, may_start=False, name="test")) as one:
        one.session.render(wish)  # before there is a daemon
        one.until_status(lambda status: status.state is ConnectionState.ABSENT)
        with daemon(home) as first:
            ports.append(first.client().connection.address)
            one.until(lambda now: now.of(wish.id)[-1].state is OrderState.RUNNING and now.of(wish.id)[-1].fraction > 0.1)
            job = one.of(wish.id)[-1].job_id
            first.process.kill()
            first.process.wait(600)
            one.until(lambda now: now.of(wish.id)[-1].state is OrderState.WAITING_FOR_DAEMON)
            one.until_status(lambda status: status.state is ConnectionState.ABSENT)
        with daemon(home) as second:
            ports.append(second.client().connection.address)
            done = one.until_over(wish.id)
            assert (done.state, done.job_id, done.error) == (OrderState.DONE, job, None)
            take = done.take
            assert take is not None and (take.text, take.width, take.height) == (TEXT, 320, 180)
            assert hashlib.sha256(Path(take.path).read_bytes()).hexdigest() == take.sha256
            client: Client = second.client()
            assert client.jobs()["total"] == 1
            assert [entry["id"] for entry in client.takes()["takes"]] == [take.id]
            one.session.resume(wish, job)  # as a reopened file does
            one.until(lambda now: len([update for update in now.of(wish.id) if update.state is OrderState.DONE]) == 2)
            assert one.of(wish.id)[-1].take == take
            assert client.jobs()["total"] == 1
    assert ports[0] != ports[1]
    assert [status.state for status in one.statuses].count(ConnectionState.REFUSED) == 0
