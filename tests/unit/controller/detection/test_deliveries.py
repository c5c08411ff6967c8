"""When a message is sent again, how it is signed, and where it may go."""

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.detection.config import WebhookConfig
from controller.detection.cut_off import AGAIN_AFTER_MS, next_due
from controller.detection.delivery_life import Schedule, next_attempt
from controller.detection.webhook import load_secret, signature
from shared.errors import BadInputError
from shared.secret import Secret

SCHEDULE = Schedule(first_pause_ms=1_000, longest_pause_ms=60_000, dead_after_ms=3_600_000)


def test_pauses_double_up_to_the_longest_and_jitter_only_shortens_them() -> None:
    pauses = [next_attempt(SCHEDULE, attempts, 0, 0, 0.0) for attempts in range(1, 9)]
    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert next_attempt(SCHEDULE, 3, 0, 0, 0.999) == 2_001
    assert next_attempt(SCHEDULE, 10**6, 0, 0, 0.0) == 60_000


def test_after_its_days_nothing_more_is_tried() -> None:
    assert next_attempt(SCHEDULE, 5, 0, 3_599_999, 0.0) is not None
    assert next_attempt(SCHEDULE, 5, 0, 3_600_000, 0.0) is None


def test_the_signature_is_that_of_the_specifications_example() -> None:
    """The vector of the reference libraries of Standard Webhooks."""
    secret = Secret(base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    body = b'{"test": 2432232314}'
    assert (
        signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize(
    "content",
    ["", "whsec_", "whsec_!!!", "c2VjcmV0", "whsec_" + base64.b64encode(b"x" * 8).decode()],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    with pytest.raises(BadInputError) as refused:
        load_secret(file)
    assert len(content) < 8 or content not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://127.0.0.1/",
        "https://name:password@example.com/",
        "https:///hook",
        "http://127.0.0.1@example.com/",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_safe_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookConfig(url=url, secret_file=tmp_path / "secret")


def test_https_and_loopback_are_taken(tmp_path: Path) -> None:
    for url in (
        "https://example.com/hook",
        "http://127.0.0.1:9/x",
        "http://[::1]/",
        "http://localhost/",
    ):
        assert WebhookConfig(url=url, secret_file=tmp_path / "secret").url == url


def test_a_revoked_node_is_cut_off_again_until_the_list_has_reached_the_broker() -> None:
    assert [next_due(1_000, done) for done in range(6)] == [
        *(1_000 + after for after in AGAIN_AFTER_MS),
        None,
    ]
