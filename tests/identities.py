"""Hierarchies of authorities and their holders, at a time of the test's own; and TLS in memory."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from shared.identity.issuing import Issuer, issue_intermediate, issue_leaf, make_root
from shared.identity.keys import key_pem
from shared.identity.pem import certificates_pem
from shared.identity.profiles import LEAF_LIFETIME
from shared.identity.requests import build_authority_request, build_request, check_request
from shared.identity.revocation import LIST_LIFETIME, Revocation, issue_list
from shared.identity.trust import TrustBundle

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NODE = "site-a-01"
SERVER = "broker"
ADDRESSES = ("127.0.0.1", "localhost")
_LOOPS = 50


def new_key() -> ec.EllipticCurvePrivateKey:
    """A P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_serial() -> int:
    """A random serial number."""
    return x509.random_serial_number()


@dataclass(frozen=True, slots=True)
class Holder:
    """A key and its certificate, with what is shown besides."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    behind: tuple[x509.Certificate, ...]

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What it presents, leaf first."""
        return (self.certificate, *self.behind)

    def load_into(self, context: ssl.SSLContext, folder: Path) -> None:
        """Gives a TLS context this identity."""
        name = f"{self.certificate.serial_number:x}"
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(certificates_pem(self.chain))
        key.write_bytes(key_pem(self.key))
        context.load_cert_chain(chain, key)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A root and its intermediate."""

    root: Issuer
    issuer: Issuer

    @property
    def trust(self) -> TrustBundle:
        """What a host that pinned the root trusts."""
        return TrustBundle((self.root.certificate,))

    def client(
        self, node: str = NODE, now: datetime = NOW, lifetime: timedelta = LEAF_LIFETIME
    ) -> Holder:
        """A node."""
        return self._holder(node, (), now, lifetime)

    def server(
        self,
        addresses: tuple[str, ...] = ADDRESSES,
        now: datetime = NOW,
        lifetime: timedelta = LEAF_LIFETIME,
    ) -> Holder:
        """A server."""
        return self._holder(SERVER, addresses, now, lifetime)

    def revoking(
        self,
        *holders: Holder,
        number: int = 1,
        now: datetime = NOW,
        lifetime: timedelta = LIST_LIFETIME,
    ) -> x509.CertificateRevocationList:
        """The intermediate's list."""
        gone = [Revocation(each.certificate.serial_number, now) for each in holders]
        return issue_list(self.issuer, number, gone, now, lifetime)

    def _holder(
        self, name: str, addresses: tuple[str, ...], now: datetime, lifetime: timedelta
    ) -> Holder:
        key = new_key()
        request = check_request(build_request(key, name, addresses), name, addresses)
        leaf = issue_leaf(self.issuer, request, now, new_serial(), lifetime)
        return Holder(key, leaf, self.issuer.chain)


def new_root(name: str, begins: datetime = NOW) -> Issuer:
    """A root of ten years."""
    key = new_key()
    return Issuer(key, make_root(key, name, begins, new_serial()))


def new_intermediate(
    root: Issuer, name: str, begins: datetime = NOW, cross: tuple[x509.Certificate, ...] = ()
) -> Issuer:
    """An intermediate of two years under a root."""
    key = new_key()
    request = build_authority_request(key, name)
    return Issuer(key, issue_intermediate(root, request, begins, new_serial()), cross)


def new_hierarchy(name: str = "acme", begins: datetime = NOW) -> Hierarchy:
    """A root and an intermediate of its own."""
    root = new_root(f"{name} root", begins)
    return Hierarchy(root, new_intermediate(root, f"{name} issuing", begins))


@cache
def ours() -> Hierarchy:
    """The company's hierarchy, begun 300 days before `NOW`; the same throughout a run."""
    return new_hierarchy("ours", NOW - timedelta(days=300))


@cache
def foreign() -> Hierarchy:
    """Somebody else's, with the very same names."""
    return new_hierarchy("ours", NOW - timedelta(days=300))


def contexts(
    folder: Path, server: Holder, client: Holder | None, trust: TrustBundle, now: datetime
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's TLS 1.3 contexts, both demanding the other's certificate."""
    anchors = trust.anchors_pem(now).decode()
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.verify_mode = ssl.CERT_REQUIRED
    calling = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (listening, calling):
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_verify_locations(cadata=anchors)
    server.load_into(listening, folder)
    if client is not None:
        client.load_into(calling, folder)
    return listening, calling


def check_revocation(
    context: ssl.SSLContext, crl: x509.CertificateRevocationList, folder: Path
) -> None:
    """Makes a TLS context consult a revocation list for the peer's certificate."""
    path = folder / "list.crl"
    path.write_bytes(crl.public_bytes(Encoding.PEM))
    context.load_verify_locations(path)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def handshake(
    listening: ssl.SSLContext, calling: ssl.SSLContext, address: str = "127.0.0.1"
) -> tuple[bytes, bytes]:
    """A whole TLS handshake in memory; the certificates (DER) that server and client accepted.

    Raises the `ssl.SSLError` of the side that refused. A TLS 1.3 client is done before the server
    has judged its certificate, so a byte is sent back afterwards.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = listening.wrap_bio(to_server, to_client, server_side=True)
    client = calling.wrap_bio(to_client, to_server, server_hostname=address)
    done: set[ssl.SSLObject] = set()
    for _ in range(_LOOPS):
        for side in (client, server):
            if side not in done:
                try:
                    side.do_handshake()
                    done.add(side)
                except ssl.SSLWantReadError:
                    continue
        if len(done) == 2:
            break
    server.write(b"x")
    if client.read(1) != b"x":
        raise AssertionError("the connection carries nothing")
    return server.getpeercert(binary_form=True) or b"", client.getpeercert(binary_form=True) or b""
