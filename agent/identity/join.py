"""`bes agent join`: a fresh host becomes a node.

Every step may be cut off: the key is on disk before anybody is asked to sign it, the same token
with the same key is answered the same, and the key stays pending until all is written. So the same
command, given again, finishes what was begun.
"""

import asyncio
import random
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w
from cryptography.hazmat.primitives.serialization import Encoding

from agent.identity.controller import (
    Answer,
    Controller,
    check_url,
    pinned_context,
    unverified_context,
)
from agent.identity.errors import (
    ClockSkewError,
    EnrolmentError,
    ForeignControllerError,
    UnreachableError,
)
from agent.identity.folder import Credentials, IdentityFolder, write_file
from agent.identity.settings import Enrolled, Places, merged
from agent.runtime.host import DataFolder
from agent.runtime.owner import acting_as_owner
from shared.enrolment import CLOCK_TOLERANCE_MS, EnrolmentToken
from shared.errors import BadInputError
from shared.identity.errors import ForeignAuthorityError, IdentityError
from shared.identity.fingerprints import grouped, key_fingerprint, parse_fingerprint
from shared.identity.pem import read_certificates
from shared.identity.requests import build_request
from shared.identity.trust import TrustBundle, pin
from shared.identity.verification import verify_client
from shared.messages.topics import check_node_name

CONFIG_NAME = "agent.toml"
_KEYS_FOLDER = "command-keys"
_TOKEN_MARK = "joined-with"  # noqa: S105 - a file's name
_TRIES = 5
_MOST_CONFIG = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """Where to join, what to trust, and where to keep it. Folders are absolute.

    `role` is what this host is set up for; None takes whatever the token was made for.
    """

    url: str
    ca_fingerprint: str
    token: EnrolmentToken
    config_dir: Path
    data_dir: Path
    role: str | None = None

    @property
    def config_file(self) -> Path:
        """The agent's configuration."""
        return self.config_dir / CONFIG_NAME

    @property
    def identity(self) -> IdentityFolder:
        """Where key and certificate lie."""
        return IdentityFolder(self.data_dir / "identity")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a join needs of the world: the real time, a pause, and somebody to talk to."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tell: Callable[[str], None] = lambda _text: None
    pause_s: Callable[[float], float] = lambda seconds: seconds * (0.8 + 0.4 * random.random())  # noqa: S311 - spreads load


async def join(plan: JoinPlan, around: Surroundings) -> None:
    """Gets the node's identity and writes its configuration.

    `EnrolmentError` (or one of its kinds) says what is wrong in words for the person at the host;
    `BadInputError` names an argument; `DataFolderError` when an agent runs here; `OSError` when the
    disk fails. A join that fails leaves what worked before as it was. Given by root, it does what
    it does in the agent's folder with the agent's own rights.
    """
    fingerprint = parse_fingerprint(plan.ca_fingerprint)
    url = check_url(plan.url)
    plan.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with acting_as_owner(plan.data_dir):
        lock = DataFolder.take(plan.data_dir)
    try:
        with acting_as_owner(plan.data_dir):
            enrolled = await _identify(plan, url, fingerprint, around)
        if enrolled is None:
            around.tell(f"{plan.token.node} has joined with this token before: nothing to do")
            return
        plan.config_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        with acting_as_owner(plan.config_dir):
            _configure(plan, enrolled)
        with acting_as_owner(plan.data_dir):
            mark = plan.identity.path / _TOKEN_MARK
            write_file(mark, plan.token.sha256.hex().encode(), mode=0o600)
            plan.identity.discard_pending()
        around.tell(f"{plan.token.node} has joined; its configuration is {plan.config_file}")
    except IdentityError as error:
        raise EnrolmentError(str(error)) from error
    finally:
        lock.release()


async def _identify(
    plan: JoinPlan, url: str, fingerprint: str, around: Surroundings
) -> Enrolled | None:
    """Gets the node's certificate and takes it into use; None where this token has done so."""
    folder = plan.identity
    folder.prepare()
    if _is_joined(plan, folder):
        return None
    trust = await _pin(url, fingerprint, around)
    key = folder.pending_key()
    request = build_request(key, plan.token.node)
    around.tell(f"the fingerprint of this host's key:\n  {grouped(key_fingerprint(request))}")
    pem = request.public_bytes(Encoding.PEM).decode("ascii")
    async with Controller(url, pinned_context(trust.pem())) as controller:
        answer = await _until_admitted(controller, plan.token, pem, around)
    chain = read_certificates(answer.text("certificate").encode())
    verify_client(chain, trust, around.now(), node=plan.token.node)
    enrolled = _enrolled(answer, plan.token.node)
    if plan.role not in {None, enrolled.role}:
        raise EnrolmentError(
            f"the token is for a host of the role {enrolled.role}, and this one is set up for "
            f"{plan.role}: nothing was written; give the command for {enrolled.role}, or have "
            "a token made for the other role under another name"
        )
    folder.pin(trust, around.now())
    folder.install(Credentials(key, chain))
    folder.drop_old()
    return enrolled


def _is_joined(plan: JoinPlan, folder: IdentityFolder) -> bool:
    mark = folder.path / _TOKEN_MARK
    return (
        mark.exists()
        and mark.read_bytes() == plan.token.sha256.hex().encode()
        and folder.key_file.exists()
        and plan.config_file.exists()
    )


async def _pin(url: str, fingerprint: str, around: Surroundings) -> TrustBundle:
    """The root with the fingerprint, after a look at both clocks.

    What is fetched here is public and is believed only for the fingerprint; the clock that is told
    here is believed only to explain why certificates could not be judged.
    """
    async with Controller(url, unverified_context()) as stranger:
        offered = await _with_retries(stranger.trust, around)
    if offered.date is not None:
        away_ms = round((around.now() - offered.date).total_seconds() * 1_000)
        if abs(away_ms) > CLOCK_TOLERANCE_MS:
            raise ClockSkewError(
                f"this host's clock says {around.now():%Y-%m-%d %H:%M:%S} UTC, the controller's "
                f"{offered.date:%Y-%m-%d %H:%M:%S} UTC: set this host's clock (timedatectl "
                "set-time, or let NTP do it) and give the command again"
            )
    try:
        return pin(offered.text("authorities").encode(), fingerprint)
    except ForeignAuthorityError as error:
        raise ForeignControllerError(str(error)) from error


async def _until_admitted(
    controller: Controller, token: EnrolmentToken, request_pem: str, around: Surroundings
) -> Answer:
    told = False
    while True:
        answer = await _with_retries(lambda: controller.join(token, request_pem), around)
        if answer.status == 200:
            return answer
        if not told:
            told = True
            around.tell(
                "waiting until an operator confirms this host's key, before "
                f"{answer.text('until')}: bes node confirm"
            )
        again_s = answer.data.get("ask_again_after_s")
        pause_s = float(again_s) if isinstance(again_s, int) and 0 < again_s <= 300 else 5.0
        await asyncio.sleep(around.pause_s(pause_s))


async def _with_retries(ask: Callable[[], Any], around: Surroundings) -> Answer:
    """What the controller answers, asked again where it did not; what it refuses stays refused."""
    for attempt in range(1, _TRIES + 1):
        try:
            answer = await ask()
        except UnreachableError as error:
            if attempt == _TRIES:
                raise
            around.tell(f"{error}; trying again")
            await asyncio.sleep(around.pause_s(min(30.0, 2.0**attempt)))
        else:
            if isinstance(answer, Answer):
                return answer
    raise UnreachableError("no answer")


def _enrolled(answer: Answer, node: str) -> Enrolled:
    broker = answer.data.get("broker")
    port = broker.get("port") if isinstance(broker, dict) else None
    keys = answer.data.get("command_keys")
    if not isinstance(port, int) or not isinstance(keys, dict):
        raise UnreachableError("the controller's answer has no broker or command_keys")
    if check_node_name(answer.text("node")) != node:
        raise UnreachableError("the controller's answer is for another node")
    return Enrolled(
        node=node,
        role=answer.text("role"),
        url=check_url(answer.text("url")),
        broker_host=answer.text("broker", "host"),
        broker_port=port,
        command_keys={str(key_id): str(pem) for key_id, pem in keys.items()},
    )


def _configure(plan: JoinPlan, enrolled: Enrolled) -> None:
    keys_folder = plan.config_dir / _KEYS_FOLDER
    keys_folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    files = {}
    for key_id, pem in enrolled.command_keys.items():
        if not 1 <= len(key_id) <= 64 or not all(c in "0123456789abcdef" for c in key_id):
            raise BadInputError("command_keys", repr(key_id)[:80], "ids in hexadecimal")
        files[key_id] = keys_folder / f"{key_id}.pem"
        write_file(files[key_id], pem.encode("ascii"), mode=0o644)
    folder = plan.identity
    places = Places(
        data_dir=plan.data_dir,
        identity_dir=folder.path,
        roots_file=folder.roots_file,
        certificate_file=folder.certificate_file,
        key_file=folder.key_file,
        command_key_files=files,
    )
    existing = _existing(plan.config_file)
    wanted = merged(existing, enrolled, places)
    if wanted == existing:
        return
    if existing:
        kept = plan.config_file.with_name(f"{CONFIG_NAME}.before-join")
        write_file(kept, plan.config_file.read_bytes(), mode=0o644)
    write_file(plan.config_file, tomli_w.dumps(wanted).encode(), mode=0o644)


def _existing(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    with file.open("rb") as stream:
        content = stream.read(_MOST_CONFIG)
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EnrolmentError(f"{file} is not TOML: {error}") from error
