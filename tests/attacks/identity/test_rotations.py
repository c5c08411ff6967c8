"""Attacks on the pinned roots: a new one comes in only through one that is held."""

from datetime import timedelta

import pytest
from cryptography import x509

from shared.identity.errors import ForeignAuthorityError, MalformedError, RotationError
from shared.identity.fingerprints import key_fingerprint
from shared.identity.issuing import Issuer, make_root
from shared.identity.pem import certificates_pem
from shared.identity.profiles import OVERLAP, Subject, authority_certificate, validity
from shared.identity.rotation import MIN_OVERLAP, accept_root, cross_certify
from shared.identity.trust import MAX_ROOTS, TrustBundle, issued_by, pin
from tests.identities import NOW, foreign, new_key, new_root, new_serial, ours

NEW = new_root("new root")
TRUST = ours().trust


def cross(old: Issuer, new: Issuer = NEW) -> x509.Certificate:
    return cross_certify(old, new.certificate, NOW, new_serial())


def test_a_new_root_announced_by_a_foreign_root_of_the_same_name_is_refused() -> None:
    assert foreign().root.certificate.subject == ours().root.certificate.subject
    with pytest.raises(RotationError, match="no root pinned here vouches"):
        accept_root(TRUST, NEW.certificate, cross(foreign().root), NOW)


def test_a_new_root_that_vouches_for_itself_is_refused() -> None:
    with pytest.raises(RotationError, match="no root pinned here vouches"):
        accept_root(TRUST, NEW.certificate, NEW.certificate, NOW)


def test_a_cross_certificate_for_another_root_is_refused() -> None:
    rogue = new_root("rogue")
    with pytest.raises(RotationError, match="for another root"):
        accept_root(TRUST, rogue.certificate, cross(ours().root), NOW)


def test_a_root_of_the_announced_name_with_another_key_is_refused() -> None:
    rogue = new_root("new root")
    with pytest.raises(RotationError, match="for another root"):
        accept_root(TRUST, rogue.certificate, cross(ours().root), NOW)


def test_an_intermediate_cannot_announce_a_root() -> None:
    who = Subject(NEW.certificate.subject, NEW.key.public_key(), new_serial())
    when = validity(NOW, OVERLAP)
    signed = authority_certificate(who, ours().issuer.signer(NOW), when, 1)
    with pytest.raises(RotationError, match="no root pinned here vouches"):
        accept_root(TRUST, NEW.certificate, signed, NOW)


def test_an_announcement_that_is_over_or_has_not_begun_is_refused() -> None:
    announced = cross(ours().root)
    for when in (NOW + OVERLAP, NOW + OVERLAP * 2, NOW - timedelta(minutes=6)):
        with pytest.raises(RotationError, match="clock says"):
            accept_root(TRUST, NEW.certificate, announced, when)


def test_a_root_whose_overlap_is_over_announces_nothing_more() -> None:
    both = accept_root(TRUST, NEW.certificate, cross(ours().root), NOW)
    late = NOW + OVERLAP
    third = new_root("third root", late)
    stolen = cross_certify(ours().root, third.certificate, late, new_serial())
    with pytest.raises(RotationError, match="no root pinned here vouches"):
        accept_root(both, third.certificate, stolen, late)
    honest = cross_certify(NEW, third.certificate, late, new_serial())
    assert accept_root(both, third.certificate, honest, late).holds(third.certificate)


def test_an_intermediate_or_a_leaf_is_no_root() -> None:
    announced = cross(ours().root)
    for certificate in (ours().issuer.certificate, ours().client().certificate, announced):
        with pytest.raises(RotationError, match="no self-signed authority"):
            accept_root(TRUST, certificate, announced, NOW)
        with pytest.raises(RotationError, match="no self-signed authority"):
            cross_certify(ours().root, certificate, NOW, new_serial())
        with pytest.raises(MalformedError, match="no self-signed authority"):
            TrustBundle((certificate,))


def test_roots_cannot_be_heaped_up() -> None:
    trust, holder = TRUST, ours().root
    for number in range(MAX_ROOTS - 1):
        newer = new_root(f"root {number}")
        announced = cross(holder, newer)
        trust, holder = accept_root(trust, newer.certificate, announced, NOW), newer
    more = new_root("one too many")
    with pytest.raises(RotationError, match=f"{MAX_ROOTS} roots"):
        accept_root(trust, more.certificate, cross(holder, more), NOW)


def test_an_overlap_that_would_lock_out_a_site_cut_off_is_refused() -> None:
    short = MIN_OVERLAP - timedelta(seconds=1)
    with pytest.raises(RotationError, match="at least 97"):
        cross_certify(ours().root, NEW.certificate, NOW, new_serial(), short)


def test_a_root_that_ends_within_the_overlap_cannot_vouch() -> None:
    key = new_key()
    ending = Issuer(key, make_root(key, "ending", NOW, new_serial(), timedelta(days=100)))
    with pytest.raises(RotationError, match="ends"):
        cross(ending)
    fitting = cross_certify(ending, NEW.certificate, NOW, new_serial(), MIN_OVERLAP)
    trust = accept_root(TrustBundle((ending.certificate,)), NEW.certificate, fitting, NOW)
    assert trust.holds(NEW.certificate)


def test_a_second_rotation_within_the_overlap_of_the_first_is_refused() -> None:
    announced = cross(ours().root)
    again = Issuer(NEW.key, NEW.certificate, (announced,))
    third = new_root("third root")
    with pytest.raises(RotationError, match="until 2027-05-24"):
        cross(again, third)
    later = NOW + OVERLAP + timedelta(seconds=1)
    assert issued_by(cross_certify(again, third.certificate, later, new_serial()), NEW.certificate)


def test_a_new_root_with_the_olds_name_or_key_is_refused() -> None:
    old = ours().root
    twin = make_root(new_key(), "ours root", NOW, new_serial())
    with pytest.raises(RotationError, match="name of its own"):
        cross_certify(old, twin, NOW, new_serial())
    renamed = make_root(old.key, "another", NOW, new_serial())
    with pytest.raises(RotationError, match="key of its own"):
        cross_certify(old, renamed, NOW, new_serial())


def test_a_controller_with_another_root_than_the_fingerprint_is_refused() -> None:
    given = key_fingerprint(ours().root.certificate)
    offered = certificates_pem((foreign().root.certificate, NEW.certificate))
    with pytest.raises(ForeignAuthorityError, match="is this the right controller"):
        pin(offered, given)
    both = certificates_pem((foreign().root.certificate, ours().root.certificate))
    assert pin(both, given) == TRUST


def test_a_fingerprint_of_an_intermediate_pins_nothing() -> None:
    issuer = ours().issuer.certificate
    with pytest.raises(ForeignAuthorityError):
        pin(certificates_pem((issuer,)), key_fingerprint(issuer))
