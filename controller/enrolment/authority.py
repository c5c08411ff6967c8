"""The intermediate's key at work, and what hosts bring read into values. No clock, no database."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controller.enrolment.config import EnrolmentConfig, IssuerConfig
from controller.errors import ConflictError
from shared.enrolment import SECRET_BYTES, EnrolmentToken
from shared.errors import BadInputError
from shared.identity.errors import ChainError, MalformedError, ProofError
from shared.identity.fingerprints import key_fingerprint, key_sha256
from shared.identity.issuing import Issuer, issue_leaf
from shared.identity.keys import read_key
from shared.identity.names import common_name, is_infrastructure
from shared.identity.pem import certificates_pem, read_certificates
from shared.identity.renewal import Challenge, check_key_proof
from shared.identity.requests import LeafRequest, check_request
from shared.identity.revocation import Revocation, is_list_of, issue_list, list_end, reissue_due
from shared.identity.trust import TrustBundle, issued_by, read_bundle
from shared.time import from_ms, to_ms

_CHALLENGE_DOMAIN = b"bes enrolment challenge\x00"
_RANDOM_BYTES = 16


@dataclass(frozen=True, slots=True)
class HostRequest:
    """A host's request, checked: signed by its own key, for a node's name and nothing else."""

    der: bytes
    leaf: LeafRequest

    @property
    def node(self) -> str:
        """The name it asks for."""
        return self.leaf.node

    @property
    def key_sha256(self) -> bytes:
        """SHA-256 of the new key's SubjectPublicKeyInfo."""
        return key_sha256(self.leaf.key)


def read_request(der: bytes) -> HostRequest:
    """A host's request; `BadInputError` when it is none that a node may make."""
    try:
        request = x509.load_der_x509_csr(der)
        node = common_name(request.subject)
    except ChainError as error:
        raise BadInputError("request.subject", str(error), "a node's name alone") from error
    except (ValueError, x509.InvalidVersion) as error:
        raise BadInputError("request", "unreadable", "a PKCS #10 request") from error
    return HostRequest(der, check_request(request, node))


@dataclass(frozen=True, slots=True)
class Proof:
    """What a node shows to renew: its certificate, of which nothing is believed before it is found
    to be ours, a challenge of this controller, and the old key's signature over both."""

    certificate: x509.Certificate
    challenge: Challenge
    signature: bytes

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def serial(self) -> str:
        """The serial number as the tables have it."""
        return f"{self.certificate.serial_number:x}"[:40]


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate; serial and issuer in hexadecimal."""

    serial: str
    issuer: str
    der: bytes
    not_before_ms: int
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A revoked certificate, as a list names it."""

    serial: int
    revoked_ms: int


@dataclass(frozen=True, slots=True)
class IssuedList:
    """A new revocation list."""

    der: bytes
    this_update_ms: int
    next_update_ms: int


class Authority:
    """The intermediate in use, those before it, and the roots that hosts may pin."""

    def __init__(
        self,
        issuer: Issuer,
        previous: Sequence[Issuer],
        bundle: TrustBundle,
        lifetimes: tuple[timedelta, timedelta],
        reserved: AbstractSet[str] = frozenset(),
    ) -> None:
        """`lifetimes` are those of a node's certificate and of a revocation list; `reserved` are
        names that no node may have, besides those of `is_infrastructure`.

        `BadInputError` when no root of the bundle signed the intermediate.
        """
        self._reserved = reserved
        self._issuer = issuer
        self._by_id = {_issuer_id(one): one for one in (*previous, issuer)}
        self.bundle = bundle
        self._leaf_lifetime, self._list_lifetime = lifetimes
        self._root = _root_of(issuer.certificate, bundle)
        value = issuer.key.private_numbers().private_value
        self._challenge_key = hashlib.sha256(_CHALLENGE_DOMAIN + value.to_bytes(66, "big")).digest()

    @classmethod
    def load(cls, config: EnrolmentConfig, reserved: AbstractSet[str] = frozenset()) -> "Authority":
        """Reads keys and certificates; `BadInputError` names what cannot be used."""
        own = IssuerConfig(
            certificate_file=config.issuer_certificate_file, key_file=config.issuer_key_file
        )
        return cls(
            _load_issuer(own),
            [_load_issuer(one) for one in config.previous],
            read_bundle(b"".join(_read(file) for file in config.root_files)),
            (timedelta(days=config.leaf_days), timedelta(hours=config.crl_hours)),
            reserved,
        )

    def issuers(self, now_ms: int) -> tuple[str, ...]:
        """The ids of every issuer whose list is kept up: whose key is here, and which is not past
        its end. Nothing that such a one signed is good any more, and it signs no list either."""
        now = from_ms(now_ms)
        ends = {name: one.certificate.not_valid_after_utc for name, one in self._by_id.items()}
        return tuple(sorted(name for name, end in ends.items() if now < end))

    @property
    def ends_ms(self) -> int:
        """When the intermediate in use ends, and with it all issuing."""
        return to_ms(self._issuer.certificate.not_valid_after_utc)

    @property
    def last_end_ms(self) -> int:
        """When the last of our issuers ends: nothing that one of them signed lasts longer."""
        return max(to_ms(one.certificate.not_valid_after_utc) for one in self._by_id.values())

    @property
    def issuer(self) -> str:
        """The id of the intermediate in use."""
        return _issuer_id(self._issuer)

    def is_reserved(self, name: str) -> bool:
        """Whether a name is for the company's own programs, so that no node may have it."""
        return name in self._reserved or is_infrastructure(name)

    def issuer_of(self, certificate: x509.Certificate) -> str | None:
        """The id of the one of our issuers that signed a certificate; None when none did."""
        for name, one in self._by_id.items():
            if issued_by(certificate, one.certificate):
                return name
        return None

    def lister_of(self, crl: x509.CertificateRevocationList) -> str | None:
        """The id of the one of our issuers that signed a list; None when none did."""
        for name, one in self._by_id.items():
            if is_list_of(crl, one.certificate):
                return name
        return None

    @property
    def root_fingerprint(self) -> str:
        """The pin of the root above the intermediate in use, as text."""
        return key_fingerprint(self._root)

    @property
    def bundle_pem(self) -> str:
        """Roots and cross certificates, as hosts keep them."""
        return self.bundle.pem().decode()

    def issue(self, request: HostRequest, now_ms: int) -> Issued:
        """Signs a node's certificate; `BadInputError` for a name that is none of a node's,
        `ConflictError` when the intermediate's own time is over."""
        if self.is_reserved(request.node):
            problem = f"{request.node} is a name of the company's own programs"
            raise BadInputError("request.subject", problem, "a node's name")
        if now_ms >= self.ends_ms:
            raise ConflictError("the intermediate that signs certificates has ended")
        serial = x509.random_serial_number()
        now = from_ms(now_ms)
        leaf = issue_leaf(self._issuer, request.leaf, now, serial, self._leaf_lifetime)
        return Issued(
            serial=f"{serial:x}",
            issuer=_issuer_id(self._issuer),
            der=leaf.public_bytes(Encoding.DER),
            not_before_ms=to_ms(leaf.not_valid_before_utc),
            not_after_ms=to_ms(leaf.not_valid_after_utc),
        )

    def chain_pem(self, der: bytes, issuer: str) -> str:
        """A node's certificate with what it has to show besides, leaf first."""
        behind = self._by_id[issuer].chain if issuer in self._by_id else ()
        return certificates_pem((x509.load_der_x509_certificate(der), *behind)).decode()

    def issue_list(
        self, issuer: str, number: int, listed: Sequence[Listed], now_ms: int
    ) -> IssuedList:
        """Signs a revocation list of one of `issuers`."""
        revoked = [Revocation(one.serial, from_ms(one.revoked_ms)) for one in listed]
        now = from_ms(now_ms)
        crl = issue_list(self._by_id[issuer], number, revoked, now, self._list_lifetime)
        return IssuedList(
            crl.public_bytes(Encoding.DER), to_ms(crl.last_update_utc), to_ms(list_end(crl))
        )

    def list_due(self, der: bytes, now_ms: int) -> bool:
        """Whether a list is to be issued again; one that was never issued (no bytes) is."""
        return not der or reissue_due(x509.load_der_x509_crl(der), from_ms(now_ms))

    def new_challenge(self, now_ms: int) -> Challenge:
        """A challenge that any replica with this intermediate's key knows for ours.

        It is not written down: answered twice, it fetches the same certificate twice.
        """
        random = secrets.token_bytes(_RANDOM_BYTES)
        return Challenge(random + self._seal(random, now_ms), now_ms)

    def is_proven(self, proof: Proof, request: HostRequest, now_ms: int) -> bool:
        """Whether the certificate's key signed this request for a challenge of ours, in time."""
        random, seal = proof.challenge.nonce[:_RANDOM_BYTES], proof.challenge.nonce[_RANDOM_BYTES:]
        if not hmac.compare_digest(seal, self._seal(random, proof.challenge.issued_ms)):
            return False
        csr = x509.load_der_x509_csr(request.der)
        try:
            check_key_proof(
                proof.signature, proof.certificate, csr, proof.challenge, from_ms(now_ms)
            )
        except (ProofError, MalformedError):
            return False
        return True

    def _seal(self, random: bytes, issued_ms: int) -> bytes:
        return hmac.digest(self._challenge_key, random + issued_ms.to_bytes(8, "big"), "sha256")


def list_pem(der: bytes) -> bytes:
    """A revocation list in PEM."""
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def _root_of(certificate: x509.Certificate, bundle: TrustBundle) -> x509.Certificate:
    for root in bundle.roots:
        if issued_by(certificate, root):
            return root
    raise BadInputError(
        "enrolment.root_files", "none of them signed the intermediate", "its root among them"
    )


def new_token(node: str) -> EnrolmentToken:
    """A token with 128 random bits."""
    return EnrolmentToken(node, secrets.token_bytes(SECRET_BYTES))


def _load_issuer(files: IssuerConfig) -> Issuer:
    certificate, *cross = read_certificates(_read(files.certificate_file))
    return Issuer(read_key(_read(files.key_file)), certificate, tuple(cross))


def _issuer_id(issuer: Issuer) -> str:
    return x509.SubjectKeyIdentifier.from_public_key(issuer.key.public_key()).digest.hex()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError("enrolment", f"{path}: {error.strerror}", "a readable file") from error
