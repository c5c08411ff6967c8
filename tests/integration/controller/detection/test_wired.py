"""A whole controller process: the broker's log in, a signed webhook out."""

import base64
import json
from pathlib import Path

from fastapi.testclient import TestClient

from controller.app import Role, create_app
from controller.config import ControllerConfig
from tests.integration.controller.detection.receivers import receiver
from tests.waiting import wait_for

DENIED = (
    "2026-11-25T10:00:00: Denied PUBLISH from site-b-01 "
    "(d0, q1, r0, m2, 'bes/1/site-a-01/event', ... (1 bytes))\n"
)


def test_what_the_broker_refused_is_told_to_the_receiver(database_url: str, tmp_path: Path) -> None:
    log, secret = tmp_path / "bes.log", tmp_path / "secret"
    log.touch()
    secret.write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    with receiver() as told:
        config = ControllerConfig.model_validate(
            {
                "database": {"url": database_url},
                "security": {"broker_log_file": str(log)},
                "webhook": {
                    "url": f"http://127.0.0.1:{told.port}/",
                    "secret_file": str(secret),
                },
            }
        )
        with TestClient(create_app(config, Role.JOBS)):
            with log.open("a") as file:
                file.write(DENIED)
            wait_for(lambda: bool(told.got), "the webhook")
    (_headers, body), *_more = told.got
    data = json.loads(body)["data"]
    assert (data["kind"], data["subject"]) == ("publish_refused", "site-b-01")
    assert data["detail"]["topic"] == "bes/1/site-a-01/event"
