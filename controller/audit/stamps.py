"""RFC 3161 timestamps over heads: what is asked, and whether an answer holds. Pure.

The stamped data is the head's whole note, signatures and all, in UTF-8; the imprint is its SHA-256.
An answer is kept whole as it came (a TimeStampResp), so that `openssl ts -verify` reads it too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from shared.errors import BadInputError

MAX_RESPONSE_BYTES = 65_536
_GRANTED = 0
_CHAIN_PROBLEM = "Error while verifying certificates"
_SHA256_OID = "2.16.840.1.101.3.4.2.1"


class StampError(Exception):
    """An answer that is no timestamp of this head by this authority."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request in DER, and the number that its answer must repeat."""

    body: bytes
    nonce: int


def question(note: str) -> Question:
    """The request for a timestamp over a note, with a nonce, asking for certificates."""
    request = (
        TimestampRequestBuilder()
        .data(note.encode())
        .hash_algorithm(HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    if request.nonce is None:
        raise RuntimeError("the request was built without its nonce")
    return Question(request.as_bytes(), request.nonce)


def load_roots(content: bytes, field: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM file; `BadInputError` when there is none."""
    try:
        return tuple(load_pem_x509_certificates(content))
    except ValueError as error:
        raise BadInputError(field, str(error)[:100], "certificates in PEM") from error


def check(
    response: bytes, note: str, roots: Sequence[Certificate], nonce: int | None = None
) -> datetime:
    """When the authority says that it saw the note; `StampError` when the answer does not hold.

    Certificates are judged as of that time: a stamp outlives its authority's certificate.
    """
    if len(response) > MAX_RESPONSE_BYTES:
        raise StampError(f"{len(response)} bytes (allowed: at most {MAX_RESPONSE_BYTES})")
    answer = _decoded(response)
    builder = VerifierBuilder(roots=list(roots), nonce=nonce)
    try:
        imprint = answer.tst_info.message_imprint
        if imprint.hash_algorithm.dotted_string != _SHA256_OID:
            raise StampError("the imprint is not SHA-256")
        if imprint.message != hashlib.sha256(note.encode()).digest():
            raise StampError("it is a timestamp of something else")
        builder.build().verify(answer, imprint.message)
        time = answer.tst_info.gen_time
    except VerificationError as error:
        if str(error).startswith(_CHAIN_PROBLEM):
            raise StampError("its signature does not lead to the authority's roots") from error
        raise StampError(str(error)[:200]) from error
    except (ValueError, TypeError) as error:
        raise StampError(f"malformed: {str(error)[:200]}") from error
    return time


def _decoded(response: bytes) -> TimeStampResponse:
    try:
        answer = decode_timestamp_response(response)
    except (ValueError, TypeError) as error:
        raise StampError(f"malformed: {str(error)[:200]}") from error
    if answer.status != _GRANTED:
        reason = "; ".join(answer.status_string)[:200] or "no reason given"
        raise StampError(f"refused with status {answer.status}: {reason}")
    return answer
