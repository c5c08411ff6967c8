"""Who a certificate speaks for: its one common name is a node, in the sense of the wire's topics.

Rules in the manner of SPIFFE, kept simple: one name a certificate, checked as a node name before it
is signed and after it is verified; the name is an identity and never an address; a server's
addresses stand in its subject alternative names and nowhere else.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.x509.oid import NameOID

from shared.errors import BadInputError
from shared.identity.errors import ChainError, MalformedError
from shared.messages.topics import NODE_NAME, check_node_name

MAX_ADDRESSES = 16
_MAX_DNS_NAME = 253
_MAX_AUTHORITY_NAME = 64
INFRASTRUCTURE = ("controller", "broker", "http", "tap")
"""Names of the company's own programs and of what is named after them (`controller-2`): the broker
gives them more than a node's rights, so that no node may have one."""


def subject(common_name: str) -> x509.Name:
    """A subject of a common name and nothing else (at most 64 characters, RFC 5280)."""
    if not 1 <= len(common_name) <= _MAX_AUTHORITY_NAME:
        raise MalformedError("name", repr(common_name)[:80], "1 to 64 characters")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def common_name(name: x509.Name) -> str:
    """The one common name of a subject that has nothing else; `ChainError` otherwise."""
    attributes = list(name)
    if len(attributes) != 1 or attributes[0].oid != NameOID.COMMON_NAME:
        raise ChainError("a subject that is not exactly one common name")
    return str(attributes[0].value)


def is_infrastructure(name: str) -> bool:
    """Whether a name is one of the company's own programs'."""
    return any(name == own or name.startswith(f"{own}-") for own in INFRASTRUCTURE)


def described(name: x509.Name) -> str:
    """A subject as text for a message; works for any."""
    return name.rfc4514_string()[:200].removeprefix("CN=") or "(no name)"


def node_of(certificate: x509.Certificate) -> str:
    """The node a certificate speaks for; `ChainError` when it names none."""
    try:
        return check_node_name(common_name(certificate.subject))
    except BadInputError as error:
        raise ChainError(f"the certificate's name is no node: {error.problem}") from error


def address(text: str) -> x509.GeneralName:
    """An IP address or DNS name as a subject alternative name; `MalformedError` otherwise."""
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        labels = text.split(".")
        if len(text) > _MAX_DNS_NAME or any(NODE_NAME.fullmatch(label) is None for label in labels):
            allowed = "an IP address or a lower-case DNS name"
            raise MalformedError("address", repr(text)[:80], allowed) from None
        return x509.DNSName(text)


def alternative_names(addresses: tuple[str, ...]) -> x509.SubjectAlternativeName:
    """1 to 16 addresses as the extension."""
    if not 1 <= len(addresses) <= MAX_ADDRESSES:
        allowed = f"1 to {MAX_ADDRESSES} of them"
        raise MalformedError("addresses", f"{len(addresses)} of them", allowed)
    return x509.SubjectAlternativeName([address(text) for text in addresses])


def addresses_of(names: x509.SubjectAlternativeName) -> frozenset[str]:
    """The addresses as text; `MalformedError` for other kinds of names."""
    found = set()
    for name in names:
        if not isinstance(name, x509.IPAddress | x509.DNSName):
            allowed = "IP addresses and DNS names"
            raise MalformedError("addresses", f"a {type(name).__name__}", allowed)
        value = name.value
        if not isinstance(value, str | IPv4Address | IPv6Address):
            raise MalformedError("addresses", "a network", "single addresses")
        found.add(str(value))
    return frozenset(found)
