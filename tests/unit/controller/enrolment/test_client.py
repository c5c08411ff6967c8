"""The operator's client takes no answer of any size or slowness, and tries what never arrived."""

from pathlib import Path

import httpx2
import pytest
import stamina

from controller.enrolment import client as module
from controller.enrolment.client import Access, AnswerError, OperatorClient


def client_of(folder: Path, answers: httpx2.MockTransport) -> OperatorClient:
    token = folder / "token"
    token.write_text("bes_token\n")
    return OperatorClient(Access("http://127.0.0.1:1", token), answers)


def test_an_answer_beyond_the_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ANSWER", 10)
    answers = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"long": "x" * 20}))
    with pytest.raises(AnswerError, match="more than 10 bytes"):
        client_of(tmp_path, answers).get("/nodes")


def test_an_answer_that_dribbles_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.0)
    answers = httpx2.MockTransport(lambda _: httpx2.Response(200, content=iter([b"{", b"}"])))
    with pytest.raises(AnswerError, match="no whole answer"):
        client_of(tmp_path, answers).get("/nodes")


def test_what_never_reached_the_controller_is_sent_again_and_what_did_is_not(
    tmp_path: Path,
) -> None:
    sent: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.url.path)
        if len(sent) == 1:
            raise httpx2.ConnectTimeout("away")
        return httpx2.Response(409, json={"detail": "no such node"})

    with (
        stamina.set_testing(True, attempts=3, cap=True),
        pytest.raises(AnswerError, match="no such"),
    ):
        client_of(tmp_path, httpx2.MockTransport(answer)).post("/nodes/a/confirm")
    assert len(sent) == 2
