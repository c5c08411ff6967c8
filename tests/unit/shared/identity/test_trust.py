"""The pinned roots over a rotation, the renewal's times, and text forms."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.identity.errors import (
    ExpiredError,
    ForeignAuthorityError,
    MalformedError,
    NotYetValidError,
    RevokedError,
)
from shared.identity.fingerprints import (
    certificate_sha256,
    grouped,
    key_fingerprint,
    key_sha256,
    matches,
    parse_fingerprint,
)
from shared.identity.issuing import make_root
from shared.identity.keys import key_pem, read_key
from shared.identity.pem import (
    MAX_CERTIFICATES,
    certificates_pem,
    read_certificate,
    read_certificates,
)
from shared.identity.profiles import OVERLAP
from shared.identity.renewal import has_expired, renew_at, renewal_due
from shared.identity.revocation import Revocation, issue_list
from shared.identity.rotation import accept_root, cross_certify, old_may_go_at, rotate_before
from shared.identity.trust import MAX_ROOTS, TrustBundle, read_bundle
from shared.identity.verification import verify_client
from tests.identities import (
    NODE,
    NOW,
    Hierarchy,
    new_intermediate,
    new_key,
    new_root,
    new_serial,
    ours,
)


def test_a_bundle_reads_back_what_it_wrote() -> None:
    new = new_root("new root")
    cross = cross_certify(ours().root, new.certificate, NOW, new_serial())
    both = accept_root(ours().trust, new.certificate, cross, NOW)
    assert read_bundle(both.pem()) == both
    assert both.fingerprints == (
        key_fingerprint(ours().root.certificate),
        key_fingerprint(new.certificate),
    )


def test_a_root_that_is_held_changes_nothing() -> None:
    new = new_root("new root")
    cross = cross_certify(ours().root, new.certificate, NOW, new_serial())
    both = accept_root(ours().trust, new.certificate, cross, NOW)
    assert accept_root(both, new.certificate, cross, NOW) is both


def test_the_old_root_counts_until_the_overlap_ends() -> None:
    new = new_root("new root")
    cross = cross_certify(ours().root, new.certificate, NOW, new_serial())
    both = accept_root(ours().trust, new.certificate, cross, NOW)
    end = old_may_go_at(cross)
    assert end == NOW + OVERLAP
    assert len(both.anchors(end - timedelta(seconds=1))) == 2
    assert both.anchors(end) == (new.certificate,)
    assert read_certificates(both.anchors_pem(end)) == (new.certificate,)
    assert both.pruned(end) == TrustBundle((new.certificate,))
    assert both.pruned(NOW) == both
    assert ours().trust.anchors(end) == (ours().root.certificate,)


def test_a_leaf_of_the_old_root_is_foreign_after_the_overlap() -> None:
    new = new_root("new root")
    cross = cross_certify(ours().root, new.certificate, NOW, new_serial())
    both = accept_root(ours().trust, new.certificate, cross, NOW)
    late = old_may_go_at(cross)
    with pytest.raises(ForeignAuthorityError, match="overlap is over"):
        verify_client(ours().client(now=late).chain, both, late)
    after = Hierarchy(new, new_intermediate(new, "new issuing", NOW, (cross,)))
    holder = after.client(now=late)
    assert verify_client(holder.chain, both, late).root == new.certificate


def test_a_chain_through_the_cross_certificate_ends_at_the_old_root() -> None:
    new = new_root("new root")
    cross = cross_certify(ours().root, new.certificate, NOW, new_serial())
    after = Hierarchy(new, new_intermediate(new, "new issuing", NOW, (cross,)))
    holder = after.client()
    verified = verify_client(holder.chain, ours().trust, NOW)
    assert verified.path == (*holder.chain, ours().root.certificate)
    late = NOW + OVERLAP + timedelta(seconds=1)
    with pytest.raises(ExpiredError, match="new root"):
        verify_client(after.client(now=late).chain, ours().trust, late)


def test_a_revoked_intermediate_takes_its_leaves_with_it() -> None:
    holder = ours().client()
    gone = Revocation(ours().issuer.certificate.serial_number, NOW)
    lists = [ours().revoking(), issue_list(ours().root, 1, [gone], NOW)]
    with pytest.raises(RevokedError, match="ours issuing"):
        verify_client(holder.chain, ours().trust, NOW, lists=lists)
    verified = verify_client(holder.chain, ours().trust, NOW, lists=lists[:1])
    assert verified.node == NODE


def test_a_chain_is_good_from_its_first_second_to_its_last() -> None:
    holder = ours().client()
    begins, ends = holder.certificate.not_valid_before_utc, holder.certificate.not_valid_after_utc
    second = timedelta(seconds=1)
    for when in (begins, ends, ends + second * 0.999):
        assert verify_client(holder.chain, ours().trust, when).leaf == holder.certificate
    with pytest.raises(NotYetValidError):
        verify_client(holder.chain, ours().trust, begins - second)
    with pytest.raises(ExpiredError):
        verify_client(holder.chain, ours().trust, ends + second)


def test_a_root_is_rotated_before_it_cannot_vouch_any_more() -> None:
    root = ours().root.certificate
    assert rotate_before(root) == root.not_valid_after_utc - OVERLAP


def test_a_bundle_holds_roots_and_cross_certificates_only() -> None:
    root = ours().root.certificate
    with pytest.raises(MalformedError, match="roots"):
        TrustBundle(())
    with pytest.raises(MalformedError, match=f"1 to {MAX_ROOTS}"):
        TrustBundle((root,) * (MAX_ROOTS + 1))
    with pytest.raises(MalformedError, match="no cross certificate"):
        TrustBundle((root,), (root,))
    with pytest.raises(MalformedError, match="no cross certificate"):
        read_bundle(certificates_pem((root, ours().client().certificate)))


def test_a_certificate_is_renewed_at_two_thirds() -> None:
    leaf = ours().client().certificate
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    assert renew_at(leaf) - begins == (ends - begins) * 2 / 3
    assert not renewal_due(leaf, NOW + timedelta(days=4, hours=15))
    assert renewal_due(leaf, NOW + timedelta(days=4, hours=17))
    assert not has_expired(leaf, ends)
    assert has_expired(leaf, ends + timedelta(seconds=1))


def test_a_fingerprint_is_of_the_key_and_outlives_the_certificate() -> None:
    key = new_key()
    first, second = (make_root(key, name, NOW, new_serial()) for name in ("one", "two"))
    assert key_fingerprint(first) == key_fingerprint(second)
    assert key_fingerprint(first) == f"sha256:{key_sha256(key.public_key()).hex()}"
    assert certificate_sha256(first) != certificate_sha256(second)
    assert matches(first, key_fingerprint(second))
    assert not matches(first, key_fingerprint(ours().root.certificate))


def test_a_fingerprint_is_read_however_it_was_copied() -> None:
    text = key_fingerprint(ours().root.certificate)
    for form in (text.upper(), grouped(text), f"  {text}\n", text.removeprefix("sha256:")):
        assert parse_fingerprint(form) == text


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha1:" + "0" * 40, "g" * 64, "0" * 63, "0" * 9999]
)
def test_a_fingerprint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="fingerprint"):
        parse_fingerprint(text)


def test_a_key_reads_back_with_its_passphrase_only() -> None:
    key = new_key()
    sealed = key_pem(key, b"a long passphrase")
    assert read_key(sealed, b"a long passphrase").private_numbers() == key.private_numbers()
    assert read_key(key_pem(key)).private_numbers() == key.private_numbers()
    for passphrase in (b"another passphrase", None):
        with pytest.raises(MalformedError, match="passphrase"):
            read_key(sealed, passphrase)
    with pytest.raises(MalformedError, match="not encrypted"):
        read_key(key_pem(key), b"a long passphrase")


def test_a_key_of_another_kind_is_refused() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(MalformedError, match="P-256"):
        read_key(pem)
    with pytest.raises(MalformedError, match="at most"):
        read_key(b"x" * 100_000)


def test_exactly_one_certificate_is_meant_where_one_is_asked_for() -> None:
    root = ours().root.certificate
    assert read_certificate(certificates_pem((root,))) == root
    with pytest.raises(MalformedError, match="exactly one"):
        read_certificate(certificates_pem((root, root)))
    with pytest.raises(MalformedError, match=f"at most {MAX_CERTIFICATES}"):
        read_certificates(certificates_pem((root,) * (MAX_CERTIFICATES + 1)))
    with pytest.raises(MalformedError, match="unreadable"):
        read_certificates(b"")
