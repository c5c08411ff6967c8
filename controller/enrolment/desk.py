"""What the enrolment routes and job work with; `controller.app` makes it where it is configured."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from controller.enrolment.authority import Authority
from controller.enrolment.config import EnrolmentConfig
from controller.enrolment.rate import Places
from controller.fleet.commands import CommandDesk
from shared.errors import BadInputError
from shared.identity.errors import MalformedError
from shared.identity.pem import read_certificates


@dataclass(frozen=True, slots=True)
class EnrolmentDesk:
    """The authority, what hosts are told besides their certificate, and who knocks how often.

    `command_keys` maps the ids (hex) of the keys that sign commands to their PEM.
    """

    authority: Authority
    url: str
    broker_host: str
    broker_port: int
    command_keys: dict[str, str]
    places: Places = field(default_factory=Places)

    @classmethod
    def open(
        cls,
        config: EnrolmentConfig,
        desk: CommandDesk | None,
        reserved: AbstractSet[str] = frozenset(),
    ) -> "EnrolmentDesk":
        """Loads the keys; `BadInputError` names what cannot be used. No node is given a name that
        is `reserved`."""
        return cls(
            authority=Authority.load(config, reserved),
            url=config.url,
            broker_host=config.broker_host,
            broker_port=config.broker_port,
            command_keys={} if desk is None else _command_keys(desk),
        )


def names_in(file: Path, setting: str) -> frozenset[str]:
    """The common names of a program's own certificate, by which the broker knows it.

    `BadInputError` names the `setting` when it cannot be read.
    """
    try:
        leaf = read_certificates(file.read_bytes())[0]
    except (OSError, MalformedError) as error:
        problem = f"{file}: {error}"[:300]
        raise BadInputError(setting, problem, "a readable certificate in PEM") from error
    found = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return frozenset(str(one.value) for one in found)


def _command_keys(desk: CommandDesk) -> dict[str, str]:
    public = desk.signer.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {desk.signer.key_id.hex(): pem.decode()}
