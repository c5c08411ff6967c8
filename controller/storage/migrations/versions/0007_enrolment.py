"""Enrolment tokens, certificates, revocations."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_TABLES = (
    "certificates",
    "enrolment_tokens",
    "revocations",
    "revocation_lists",
)


def upgrade() -> None:
    """Makes the tables."""
    _certificates()
    _enrolment_tokens()
    _revocations()
    _revocation_lists()


def downgrade() -> None:
    """Drops the tables and what is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _certificates() -> None:
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("key_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("not_before_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("successor", sa.String(length=40)),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("issued_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["node"], ["nodes.name"]),
        sa.ForeignKeyConstraint(["successor"], ["certificates.serial"]),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_index("certificates_node", "certificates", ["node", "issued_real_ms"])


def _enrolment_tokens() -> None:
    op.create_table(
        "enrolment_tokens",
        sa.Column("id", _SERIAL, sa.Identity(), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("site_id", sa.String(length=63), nullable=False),
        sa.Column("site_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("network", sa.String(length=43)),
        sa.Column("confirm_key", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("issued_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.LargeBinary()),
        sa.Column("key_sha256", sa.LargeBinary()),
        sa.Column("presented_real_ms", sa.BigInteger()),
        sa.Column("presented_from", sa.String(length=64)),
        sa.Column("finished_real_ms", sa.BigInteger()),
        sa.Column("certificate", sa.String(length=40)),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.serial"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_sha256"),
        sqlite_autoincrement=True,
    )
    op.create_index("enrolment_tokens_node", "enrolment_tokens", ["node", "id"])
    op.create_index("enrolment_tokens_state", "enrolment_tokens", ["state", "expires_real_ms"])


def _revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=63), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("revoked_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_after_real_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["serial"], ["certificates.serial"]),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_index("revocations_issuer", "revocations", ["issuer", "not_after_real_ms"])


def _revocation_lists() -> None:
    op.create_table(
        "revocation_lists",
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("this_update_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_update_real_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("issuer"),
    )
