"""The whole application against its own OpenAPI document: schemathesis with every check it has.

Half of the cases are drawn by Hypothesis, as many valid as invalid ones; the other half are taken
by lot from schemathesis' coverage of each operation's boundaries (missing headers, other methods).
What was found is collected and told as a whole, so that the number of cases does not depend on it.
"""

import base64
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.config import GenerationConfig
from schemathesis.core.errors import InvalidSchema
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok, Result
from schemathesis.python.asgi import ASGIClient, get_client, shutdown_lifespans
from schemathesis.schemas import APIOperation, BaseSchema
from sqlalchemy import update

from controller.access import sessions as session_store
from controller.access.session_life import Stage
from controller.access.sessions import Visitor
from controller.app import Role, create_app
from controller.clock import SystemClock
from controller.config import (
    AccessConfig,
    CommandsConfig,
    ControllerConfig,
    DatabaseConfig,
)
from controller.enrolment.config import EnrolmentConfig
from controller.enrolment.rate import Places, RateLimit
from controller.storage.engine import Storage
from controller.storage.tables import users
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.renewal import Challenge, prove_key
from shared.identity.requests import build_request
from tests.accounts import EVERY_ROLE, PASSWORD, enter_account
from tests.enrolments import CertificateAuthority, new_key
from tests.fleets import TOKEN, enter_fleet

AnyOperation: TypeAlias = APIOperation[Any, Any, Any, Any]
_OF_PERSONS = ("/account", "/approval-keys", "/approvals", "/sessions", "/tokens")
"""Where a session reaches more than a token does."""
_OTHERS = 30
"""Accounts before ours, so that small numbers in paths are theirs."""
_MOST_BOUNDARIES = 200
_ENROLMENT = "/api/v1/enrolment"


@dataclass(slots=True)
class Callers:
    """A service account with a token, and a person with a session; both may do everything."""

    storage: Storage
    clock: SystemClock
    service: int
    person: int

    @classmethod
    def entered(cls, storage: Storage) -> "Callers":
        """With others before them."""
        clock = SystemClock()
        for number in range(_OTHERS):
            enter_account(storage, clock, f"other-{number}")
        service = enter_account(storage, clock, "tests", EVERY_ROLE, token=TOKEN)
        person = enter_account(storage, clock, "ada", EVERY_ROLE, password=PASSWORD)
        return cls(storage, clock, service, person)

    def headers(self, path: str) -> dict[str, str]:
        """What authenticates a request; what an earlier case took from the callers is restored."""
        with self.storage.write() as conn:
            ours = users.c.id.in_([self.service, self.person])
            conn.execute(update(users).where(ours).values(disabled_real_ms=None))
            if not path.startswith(tuple(f"/api/v1{prefix}" for prefix in _OF_PERSONS)):
                return {"Authorization": f"Bearer {TOKEN}"}
            visitor = Visitor("of the tests", "a test")
            opened = session_store.open_session(
                conn, self.person, Stage.FULL, visitor, self.clock.real_ms()
            )
        return {
            "Cookie": f"bes_session={opened.secret}",
            "Origin": "http://testserver",
            "Sec-Fetch-Site": "same-origin",
            "X-CSRF-Token": opened.csrf,
        }


@dataclass(slots=True)
class Run:
    """Cases that were sent, and what was found."""

    client: ASGIClient
    callers: Callers
    answers: Counter[int] = field(default_factory=Counter)
    of_path: Counter[tuple[str, int]] = field(default_factory=Counter)
    found: dict[str, str] = field(default_factory=dict)

    def send(self, case: Case[Any]) -> None:
        """One case, with all checks."""
        self.client.cookies.clear()
        headers = self.callers.headers(case.operation.path)
        try:
            response = case.call(session=self.client, headers=headers)
        except Exception as error:  # noqa: BLE001 - whatever the application let through is a find
            self.answers[500] += 1
            self.found.setdefault(f"{case.operation.label}: {error!r}", case.as_curl_command())
            return
        self.answers[int(response.status_code)] += 1
        self.of_path[case.operation.path, int(response.status_code)] += 1
        try:
            case.validate_response(
                response,
                headers=headers,
                transport_kwargs={"session": self.client, "headers": headers},
            )
        except FailureGroup as group:
            for failure in group.exceptions:
                title = getattr(failure, "title", type(failure).__name__)
                self.found.setdefault(f"{case.operation.label}: {title}", str(group))


@pytest.fixture
def whole(storage: Storage, database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    """The controller's application as it is composed, with commands and enrolment, at whose door
    nobody is sent away for knocking too often: then only the first bodies would be read."""
    enter_fleet(storage, SystemClock().now_ms())
    ca = CertificateAuthority("fuzzed")
    command_key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    files = {
        "commands.key": command_key,
        "issuer.pem": certificates_pem(ca.intermediate.chain),
        "issuer.key": key_pem(ca.intermediate.key),
        "roots.pem": certificates_pem((ca.root,)),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    config = ControllerConfig(
        database=DatabaseConfig(url=database_url),
        access=AccessConfig(second_factor="when_enrolled"),
        commands=CommandsConfig(signing_key_file=tmp_path / "commands.key"),
        enrolment=EnrolmentConfig(
            issuer_certificate_file=tmp_path / "issuer.pem",
            issuer_key_file=tmp_path / "issuer.key",
            root_files=(tmp_path / "roots.pem",),
            url="https://controller.example",
            broker_host="broker.example",
        ),
    )
    application = create_app(config, Role.API)
    unhurried = Places(RateLimit(burst=1_000_000.0))
    application.state.enrolment = replace(application.state.enrolment, places=unhurried)
    yield application
    shutdown_lifespans()


@pytest.fixture
def chosen_seed(pytestconfig: pytest.Config) -> str:
    """What `--hypothesis-seed` gives; the same cases always where it gives nothing."""
    return str(pytestconfig.getoption("--hypothesis-seed"))


def test_every_answer_is_as_the_document_says(
    whole: FastAPI, storage: Storage, chosen_seed: str
) -> None:
    _assert_conforms(whole, storage, 150, chosen_seed)


@pytest.mark.soak
def test_every_answer_is_as_the_document_says_in_two_thousand_cases(
    whole: FastAPI, storage: Storage, chosen_seed: str
) -> None:
    _assert_conforms(whole, storage, 2_000, chosen_seed)


def _assert_conforms(application: FastAPI, storage: Storage, cases: int, chosen_seed: str) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", application)
    acceptance = schema.config.checks.positive_data_acceptance
    acceptance.expected_statuses = [*acceptance.expected_statuses, "412", "428"]  # If-Match
    operations = [_whole(result) for result in schema.get_all_operations()]
    lots = random.Random(chosen_seed)
    lots.shuffle(operations)
    with get_client(cast("Any", application)) as client:
        run = Run(client, Callers.entered(storage))
        places = [(operation, _boundaries(schema, operation)) for operation in operations]
        for operation, boundaries in itertools.cycle(places):
            left = cases - run.answers.total()
            if left <= 0:
                break
            wanted = -(-left // len(places))
            taken = lots.sample(boundaries, min(wanted // 2, len(boundaries)))
            for case in taken:
                run.send(case)
            _draw(run, operation, wanted - len(taken), lots.getrandbits(64))
    told = "\n".join(f"\n{title}\n{text}" for title, text in sorted(run.found.items()))
    assert not run.found, f"{len(run.found)} finds in {run.answers.total()} cases:\n{told}"
    print(f"{run.answers.total()} cases, answers: {sorted(run.answers.items())}")
    assert run.answers.total() >= cases
    throttled = {path for path, status in run.of_path if status == 429}
    assert not [path for path in throttled if path.startswith(_ENROLMENT)]
    assert sum(count for status, count in run.answers.items() if status < 300) >= cases // 10


def _whole(result: Result[AnyOperation, InvalidSchema]) -> AnyOperation:
    assert isinstance(result, Ok), f"an operation cannot be read: {result}"
    return result.ok()


def _boundaries(schema: BaseSchema, operation: AnyOperation) -> list[Case[Any]]:
    drawn = schema.iter_coverage_cases(
        operation, generation_modes=list(GenerationMode), generation_config=GenerationConfig()
    )
    return [case for case, _ in zip(drawn, range(_MOST_BOUNDARIES), strict=False)]


def _draw(run: Run, operation: AnyOperation, cases: int, chosen_seed: int) -> None:
    for mode, count in (
        (GenerationMode.POSITIVE, (cases + 1) // 2),
        (GenerationMode.NEGATIVE, cases // 2),
    ):
        if count == 0:
            continue

        @seed(chosen_seed)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            run.send(case)

        with contextlib.suppress(Unsatisfiable):  # nothing is invalid where nothing is asked for
            send()


def test_what_hosts_send_is_answered_as_the_document_says(
    whole: FastAPI, storage: Storage, chosen_seed: str
) -> None:
    """Drawn bodies with some of their fields as a host would fill them, each choice of fields in
    turn: what is drawn alone is no certificate and no request."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", whole)
    lots = random.Random(chosen_seed)
    with get_client(cast("Any", whole)) as client:
        run, key = Run(client, Callers.entered(storage)), new_key()
        joining = _joining(client, key)
        _fill(run, schema[f"{_ENROLMENT}/join"]["POST"], joining, lots.getrandbits(64))
        joined = client.request("POST", f"{_ENROLMENT}/join", json=_all_of(joining)).json()
        given = client.request("POST", f"{_ENROLMENT}/challenge").json()
        renewing = _renewing(key, joined["certificate"], given)
        _fill(run, schema[f"{_ENROLMENT}/renew"]["POST"], renewing, lots.getrandbits(64))
    assert not run.found, "\n".join(f"{title}\n{text}" for title, text in run.found.items())
    for path in ("join", "renew"):
        statuses = {status for of, status in run.of_path if of == f"{_ENROLMENT}/{path}"}
        assert statuses == {200, 403, 409}, run.of_path


Fields: TypeAlias = list[dict[str, Any]]
"""A host's body in parts, each of which is in it as a whole or as it was drawn."""


def _all_of(parts: Fields) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _joining(client: ASGIClient, key: EllipticCurvePrivateKey) -> Fields:
    wanted = {"node": "site-z-01", "site": "site-z", "role": "site"}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    made = client.request("POST", f"{_ENROLMENT}/tokens", json=wanted, headers=bearer).json()
    return [{"token": made["token"]}, {"request": _request(key)}]


def _renewing(key: EllipticCurvePrivateKey, chain: str, given: dict[str, Any]) -> Fields:
    (leaf, *_), request = read_certificates(chain.encode()), build_request(new_key(), "site-z-01")
    challenge = Challenge(base64.b64decode(given["nonce"]), given["issued_ms"])
    proof = base64.b64encode(prove_key(key, leaf, request, challenge)).decode()
    asked = request.public_bytes(Encoding.PEM).decode()
    return [{"certificate": chain}, {"request": asked, **given}, {"proof": proof}]


def _request(key: EllipticCurvePrivateKey) -> str:
    return build_request(key, "site-z-01").public_bytes(Encoding.PEM).decode()


def _fill(run: Run, operation: AnyOperation, parts: Fields, chosen_seed: int) -> None:
    choices = list(itertools.product([True, False], repeat=len(parts)))
    left = itertools.cycle(choices)

    @seed(chosen_seed)
    @settings(
        max_examples=2 * len(choices),
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def send(case: Case[Any]) -> None:
        filled = list(itertools.compress(parts, next(left)))
        case.body = {**cast("dict[str, Any]", case.body), **_all_of(filled)}
        run.send(case)

    send()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "\xff", "password": "x"}', 400),
        (b'{"name": "a\\u0000b", "password": "x"}', 422),
    ],
)
def test_a_body_of_no_encoding_or_with_nul_is_refused_as_documented(
    whole: FastAPI, body: bytes, status: int
) -> None:
    documented = whole.openapi()["paths"]["/api/v1/sessions"]["post"]["responses"]
    with get_client(cast("Any", whole)) as client:
        headers = {"Content-Type": "application/json"}
        answer = client.request("POST", "/api/v1/sessions", data=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(status) in documented
