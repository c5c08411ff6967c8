"""The digest guard: what it admits and what it must not."""

import hashlib

import pytest

from firmware_bridges.simulators.digest import DigestGuard


def header_for(guard: DigestGuard, password: str, method: str, uri: str = "/x") -> str:
    nonce = guard.challenge().split('nonce="')[1].split('"')[0]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    proof = md5(
        f"{md5(f'root:realm:{password}')}:{nonce}:00000001:abc:auth:{md5(f'{method}:{uri}')}"
    )
    return (
        f'Digest username="root", realm="realm", nonce="{nonce}", uri="{uri}", qop=auth, '
        f'nc=00000001, cnonce="abc", response="{proof}"'
    )


def test_the_password_is_admitted() -> None:
    guard = DigestGuard("realm", "root", "right")
    assert guard.admits("GET", header_for(guard, "right", "GET"))


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_proof_for_another_method_is_not_admitted(method: str) -> None:
    guard = DigestGuard("realm", "root", "right")
    assert not guard.admits(method, header_for(guard, "right", "GET"))


def test_a_wrong_password_another_nonce_and_junk_are_not_admitted() -> None:
    guard, other = DigestGuard("realm", "root", "right"), DigestGuard("realm", "root", "right")
    assert not guard.admits("GET", header_for(guard, "wrong", "GET"))
    assert not guard.admits("GET", header_for(other, "right", "GET"))
    for junk in ("", "Basic cm9vdDpyb290", "Digest ", "Digest " + "a=b, " * 1_000):
        assert not guard.admits("GET", junk)
