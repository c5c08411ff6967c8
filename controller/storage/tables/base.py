"""What every table is made with: the metadata, types for both databases, usual columns."""

from sqlalchemy import JSON, BigInteger, Column, Identity, Integer, MetaData
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

Json = JSON().with_variant(JSONB(), "postgresql")
Serial = BigInteger().with_variant(Integer(), "sqlite")


def id_column() -> Column[int]:
    """A number that counts up and is never used again."""
    return Column("id", Serial, Identity(), primary_key=True)


def version_column() -> Column[int]:
    """For compare-and-set."""
    return Column("version", Integer, nullable=False, server_default="1")
