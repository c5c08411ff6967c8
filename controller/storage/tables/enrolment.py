"""Enrolment: tokens, certificates, revocations, the revocation lists' numbers.

Times are real UTC milliseconds, as certificates have them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
)

from controller.storage.tables.base import id_column, metadata, version_column

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    id_column(),
    Column("token_sha256", LargeBinary, nullable=False, unique=True),
    Column("node", String(63), nullable=False),  # enters `nodes` when it is let in
    Column("site_id", String(63), nullable=False),
    Column("site_name", String(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("network", String(43)),  # CIDR; NULL: from anywhere
    Column("confirm_key", Boolean, nullable=False),
    Column("state", String(30), nullable=False),  # controller.enrolment.life.EnrolmentState
    Column("actor", String(200), nullable=False),
    Column("issued_real_ms", BigInteger, nullable=False),
    Column("expires_real_ms", BigInteger, nullable=False),
    Column("request", LargeBinary),  # the host's PKCS#10 request, DER
    Column("key_sha256", LargeBinary),  # of its public key (SubjectPublicKeyInfo)
    Column("presented_real_ms", BigInteger),
    Column("presented_from", String(64)),
    Column("finished_real_ms", BigInteger),
    Column("certificate", ForeignKey("certificates.serial")),
    version_column(),
    Index("enrolment_tokens_node", "node", "id"),
    Index("enrolment_tokens_state", "state", "expires_real_ms"),
    sqlite_autoincrement=True,
)

certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),  # hexadecimal
    Column("issuer", String(40), nullable=False),  # hex of the issuer's subject key identifier
    Column("node", ForeignKey("nodes.name"), nullable=False),
    Column("key_sha256", LargeBinary, nullable=False),
    Column("not_before_real_ms", BigInteger, nullable=False),
    Column("not_after_real_ms", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),  # controller.enrolment.renewal.CertificateState
    Column("successor", ForeignKey("certificates.serial")),
    Column("body", LargeBinary, nullable=False),  # DER
    Column("issued_real_ms", BigInteger, nullable=False),
    version_column(),
    Index("certificates_node", "node", "issued_real_ms"),
)

revocations = Table(  # listed until the certificate has run out, kept for ever
    "revocations",
    metadata,
    Column("serial", ForeignKey("certificates.serial"), primary_key=True),
    Column("issuer", String(40), nullable=False),
    Column("node", String(63), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("revoked_real_ms", BigInteger, nullable=False),
    Column("not_after_real_ms", BigInteger, nullable=False),
    Index("revocations_issuer", "issuer", "not_after_real_ms"),
)

other_revocations = Table(  # of certificates that are not in `certificates`
    "other_revocations",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("issuer", String(40)),  # NULL: on every issuer's list
    Column("name", String(63)),  # whom it speaks for; NULL: read back from a list, not known
    Column("reason", String(200), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("revoked_real_ms", BigInteger, nullable=False),
    Column("not_after_real_ms", BigInteger, nullable=False),  # as late as it can be
)

revocation_lists = Table(  # one row an issuer: the newest list; locked to number the next
    "revocation_lists",
    metadata,
    Column("issuer", String(40), primary_key=True),
    Column("number", BigInteger, nullable=False),  # RFC 5280 section 5.2.3, counts up
    Column("this_update_real_ms", BigInteger, nullable=False),
    Column("next_update_real_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),  # DER
)
