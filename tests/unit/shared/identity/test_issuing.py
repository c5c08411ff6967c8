"""What is issued has the contents of its profile, and lasts as long as it should."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.identity.errors import ExpiredError, MalformedError, RequestError
from shared.identity.issuing import Issuer, issue_leaf, make_root
from shared.identity.profiles import BACKDATED, Purpose, validity
from shared.identity.requests import LeafRequest, build_request, check_request
from shared.identity.rotation import cross_certify
from tests.identities import NODE, NOW, foreign, new_key, new_root, new_serial, ours


def constraints(certificate: x509.Certificate) -> tuple[bool, bool, int | None]:
    extension = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    return extension.critical, extension.value.ca, extension.value.path_length


def purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_each_kind_has_its_place_in_the_chain() -> None:
    cross = cross_certify(ours().root, new_root("next").certificate, NOW, new_serial())
    assert constraints(ours().root.certificate) == (True, True, 2)
    assert constraints(cross) == (True, True, 1)
    assert constraints(ours().issuer.certificate) == (True, True, 0)
    assert constraints(ours().client().certificate) == (True, False, None)
    assert constraints(ours().server().certificate) == (True, False, None)


def test_authorities_sign_certificates_and_leaves_do_not() -> None:
    for certificate in (ours().root.certificate, ours().issuer.certificate):
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert (usage.value.key_cert_sign, usage.value.crl_sign) == (True, True)
        assert not usage.value.digital_signature
    usage = ours().client().certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (False, True)


def test_a_leaf_serves_one_purpose() -> None:
    client, server = ours().client().certificate, ours().server().certificate
    assert purposes(client) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert purposes(server) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_only_servers_have_addresses() -> None:
    names = (
        ours().server().certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    with pytest.raises(x509.ExtensionNotFound):
        ours().client().certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_leaf_lasts_seven_days_and_begins_five_minutes_early() -> None:
    leaf = ours().client().certificate
    assert leaf.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert leaf.not_valid_after_utc == NOW + timedelta(days=7)


def test_fractions_of_a_second_are_cut() -> None:
    when = validity(NOW + timedelta(microseconds=999_999), timedelta(days=1))
    assert (when.begins, when.ends) == (NOW - BACKDATED, NOW + timedelta(days=1))


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(MalformedError, match="naive"):
        validity(datetime(2026, 1, 1), timedelta(days=1))  # noqa: DTZ001 - what is refused


def test_a_leaf_never_outlives_its_issuer() -> None:
    end = ours().issuer.certificate.not_valid_after_utc
    leaf = ours().client(now=end - timedelta(days=1)).certificate
    assert leaf.not_valid_after_utc == end


def test_an_issuer_that_is_over_issues_nothing() -> None:
    end = ours().issuer.certificate.not_valid_after_utc
    with pytest.raises(ExpiredError, match="ours issuing"):
        ours().client(now=end)
    with pytest.raises(ExpiredError):
        ours().revoking(now=end)


def test_an_issuer_needs_the_key_of_its_certificate() -> None:
    with pytest.raises(MalformedError, match=r"issuer\.key"):
        Issuer(new_key(), ours().issuer.certificate)
    with pytest.raises(MalformedError, match=r"issuer\.key"):
        Issuer(foreign().issuer.key, ours().issuer.certificate)


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_a_serial_number_out_of_range_is_refused(serial: int) -> None:
    request = LeafRequest(NODE, new_key().public_key())
    with pytest.raises(MalformedError, match="serial"):
        issue_leaf(ours().issuer, request, NOW, serial)


def test_the_serial_number_is_the_callers() -> None:
    request = LeafRequest(NODE, new_key().public_key())
    assert issue_leaf(ours().issuer, request, NOW, 4711).serial_number == 4711


def test_purpose_and_addresses_go_together() -> None:
    key = new_key().public_key()
    with pytest.raises(RequestError, match="addresses"):
        LeafRequest("broker", key, Purpose.SERVER)
    with pytest.raises(RequestError, match="addresses"):
        LeafRequest(NODE, key, Purpose.CLIENT, ("127.0.0.1",))


@pytest.mark.parametrize("address", ["Bes.Example", "*.example", "a b", "", "x" * 300, "1.2.3.4/8"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(MalformedError, match="address: "):
        build_request(new_key(), "broker", (address,))


def test_too_many_addresses_are_refused() -> None:
    with pytest.raises(MalformedError, match="1 to 16"):
        build_request(new_key(), "broker", tuple(f"10.0.0.{n}" for n in range(17)))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_the_hash_is_as_strong_as_the_key(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    root = make_root(key, "root", NOW, new_serial())
    assert root.signature_hash_algorithm is not None
    assert root.signature_hash_algorithm.digest_size * 8 == min(512, curve.key_size)
    leaf = check_request(build_request(key, NODE), NODE)
    assert leaf.key == key.public_key()


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_an_authoritys_name_is_bounded(name: str) -> None:
    with pytest.raises(MalformedError, match="1 to 64"):
        make_root(new_key(), name, NOW, new_serial())
