"""Messages reach a receiver that fails, hangs and recovers: at least once, under the same id."""

import base64
import hmac
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select, update

from controller.detection.config import WebhookConfig
from controller.detection.deliveries import Deliveries, enter_webhook
from controller.detection.kinds import SecurityKind
from controller.detection.report import report
from controller.detection.webhook import Webhook
from controller.storage.engine import Storage
from controller.storage.tables import security_events, webhook_deliveries
from provisioning.authority import Authority
from shared.host.tracing import place_of
from tests.brokers import free_port
from tests.integration.controller.detection.receivers import Receiver, receiver
from tests.nodes import StillClock

KEY = bytes(range(32))
DAY_MS = 86_400_000


@pytest.fixture
def taking() -> Iterator[Receiver]:
    with receiver() as told:
        yield told


def configured(folder: Path, url: str, **more: Any) -> WebhookConfig:
    secret = folder / "secret"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode())
    return WebhookConfig(url=url, secret_file=secret, **{"breaker_failures": 100, **more})


class Rig:
    """A worker with its clock."""

    def __init__(self, storage: Storage, config: WebhookConfig) -> None:
        self.storage, self.clock = storage, StillClock()
        with storage.write() as conn:
            enter_webhook(conn, config)
        self._config = config
        self.restart()

    def restart(self) -> None:
        self.worker = Deliveries(self.storage, self.clock, self._config, Webhook(self._config))

    def tell(self, subject: str = "site-a-01") -> None:
        with self.storage.write() as conn:
            report(
                conn,
                kind=SecurityKind.COMMAND_FORGED,
                subject=subject,
                detail={"problem": "no key"},
                now_ms=self.clock.now_ms(),
            )

    def later(self, seconds: float) -> None:
        self.clock.real_time_ms += int(seconds * 1_000)
        while self.worker.round():
            pass

    def rows(self) -> list[Row[Any]]:
        with self.storage.read() as conn:
            query = select(webhook_deliveries).order_by(webhook_deliveries.c.id)
            return list(conn.execute(query))


@pytest.fixture
def rig(storage: Storage, tmp_path: Path, taking: Receiver) -> Rig:
    url = f"http://127.0.0.1:{taking.port}/hook"
    return Rig(storage, configured(tmp_path, url, timeout_s=3.0))


def test_a_message_is_signed_and_says_what_happened(rig: Rig, taking: Receiver) -> None:
    rig.tell()
    rig.later(1)
    rig.later(600)
    ((headers, body),) = taking.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert place_of(headers["traceparent"]) is not None
    told = json.loads(body)
    assert told["type"] == "security.event"
    assert (told["data"]["kind"], told["data"]["severity"]) == ("command_forged", "critical")
    assert [row.state for row in rig.rows()] == ["delivered"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_fails_is_sent_again_under_the_same_id_with_the_same_body(
    rig: Rig, taking: Receiver, status: int
) -> None:
    taking.status, taking.location = status, f"http://127.0.0.1:{taking.port}/elsewhere"
    rig.tell()
    rig.later(1)
    assert (rig.rows()[0].state, rig.rows()[0].attempts) == ("waiting", 1)
    rig.later(0.1)  # not yet
    assert len(taking.got) == 1
    rig.later(10)
    taking.status = 200
    rig.later(20)
    assert len(taking.got) == 3
    assert len(set(taking.ids)) == 1
    assert len({body for _headers, body in taking.got}) == 1
    assert rig.rows()[0].state == "delivered"


def test_a_receiver_that_hangs_holds_nothing_up_for_long(rig: Rig, taking: Receiver) -> None:
    taking.hang_s = 30
    rig.tell()
    rig.later(1)
    assert "Timeout" in rig.rows()[0].problem
    taking.hang_s = 0
    rig.later(60)
    assert rig.rows()[0].state == "delivered"


def test_an_answer_without_end_is_not_read_to_its_end(rig: Rig, taking: Receiver) -> None:
    taking.endless = True
    rig.tell()
    rig.later(1)
    assert rig.rows()[0].state == "delivered"


def test_a_receiver_that_is_away_is_told_when_it_is_back(storage: Storage, tmp_path: Path) -> None:
    rig = Rig(storage, configured(tmp_path, f"http://127.0.0.1:{free_port()}/", timeout_s=2.0))
    rig.tell()
    rig.later(1)
    assert "ConnectError" in rig.rows()[0].problem
    with receiver() as back:
        rig._config = configured(tmp_path, f"http://127.0.0.1:{back.port}/")
        rig.restart()
        rig.later(60)
        assert back.ids == [rig.rows()[0].message_id]


def test_a_process_that_died_while_sending_leaves_it_to_the_next(
    rig: Rig, taking: Receiver
) -> None:
    rig.tell()
    assert rig.worker._claim() is not None  # and nothing more: it was killed here
    rig.restart()
    rig.later(1)
    assert taking.got == []
    rig.later(60)
    assert rig.rows()[0].state == "delivered"


def test_two_workers_never_claim_the_same_message(rig: Rig) -> None:
    for number in range(3):
        rig.tell(f"site-{number}")
    other = Deliveries(rig.storage, rig.clock, rig._config, Webhook(rig._config))
    claimed = [worker._claim() for worker in (rig.worker, other, rig.worker, other)]
    assert len({row.id for row in claimed if row is not None}) == 3
    assert claimed[3] is None


def test_after_its_days_a_message_is_given_up_and_a_person_is_told(
    rig: Rig, taking: Receiver
) -> None:
    taking.status = 503
    rig.tell()
    rig.later(1)
    rig.later(8 * 86_400)
    rig.later(60)
    assert [row.state for row in rig.rows()] == ["dead"]  # and no message about that
    with rig.storage.read() as conn:
        kinds = list(conn.scalars(select(security_events.c.kind)))
    assert kinds == ["command_forged", "webhook_dead"]


def test_a_receiver_that_says_it_is_gone_is_believed(rig: Rig, taking: Receiver) -> None:
    taking.status = 410
    rig.tell()
    rig.later(1)
    assert rig.rows()[0].state == "dead"


def test_a_receiver_that_keeps_failing_is_left_alone_for_a_while(
    storage: Storage, tmp_path: Path, taking: Receiver
) -> None:
    taking.status = 500
    url = f"http://127.0.0.1:{taking.port}/"
    rig = Rig(storage, configured(tmp_path, url, breaker_failures=3, breaker_reset_s=3_600))
    for number in range(10):
        rig.tell(f"site-{number}")
    rig.later(1)
    rig.later(30)
    rig.later(30)
    assert len(taking.got) == 3
    assert all(row.state == "waiting" for row in rig.rows())


def test_a_final_state_never_changes(rig: Rig) -> None:
    rig.tell()
    row = rig.worker._claim()
    assert row is not None
    with rig.storage.write() as conn:
        conn.execute(update(webhook_deliveries).values(state="delivered", attempts=1))
    rig.worker._failed(row, "the lease ran out and another one sent it", gone=True)
    assert [(one.state, one.attempts) for one in rig.rows()] == [("delivered", 1)]
    with rig.storage.read() as conn:
        assert list(conn.scalars(select(security_events.c.kind))) == ["command_forged"]


def _served_by(authority: Authority, folder: Path) -> ssl.SSLContext:
    credentials = authority.issue(folder, "hook", ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    return context


def test_over_tls_only_a_receiver_of_the_named_authority_is_told(
    storage: Storage, tmp_path: Path
) -> None:
    trusted, other = Authority("ours"), Authority("other")
    ca_file = trusted.write_certificate(tmp_path / "ca.pem")
    (tmp_path / "other").mkdir()
    with (
        receiver(_served_by(other, tmp_path / "other")) as wrong,
        receiver(_served_by(trusted, tmp_path)) as right,
    ):
        for port, state in ((wrong.port, "waiting"), (right.port, "delivered")):
            url = f"https://127.0.0.1:{port}/"
            rig = Rig(storage, configured(tmp_path, url, ca_file=ca_file, timeout_s=3.0))
            rig.tell(f"site-{port}")
            rig.later(1)
            assert rig.rows()[-1].state == state
        assert wrong.got == []
        assert len(right.got) >= 1
