"""The vectors of BIP380, 382, 383, 386, 387, 389 and 390, as far as they hold public keys."""

import pytest

from shared.bitcoin.descriptors import Descriptor, checksum, parse
from shared.bitcoin.errors import BitcoinError, DescriptorError
from shared.bitcoin.networks import Network

_A = (
    "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGR"
    "jaDMzQLcgJvLJuZZvRcEL"
)
_B = (
    "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPP"
    "LPxSb7gwQN3ih19Zm4Y"
)
_C = (
    "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7a"
    "p6r1D3tgFxHmwMkQTPH"
)
_KEY = "03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
_UNCOMPRESSED = (
    "04a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"
    "5b8dec5235a0fa8722476c7709c02559e3aa73aa03918ba2d492eea75abea235"
)
_OTHER = "03669b8afcec803a0d323e9a17f3ea8e68e8abe5a278020a929adbec52421adbd0"
_X, _OTHER_X = _KEY[2:], _OTHER[2:]
_NUMS = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0"
_LEAF_X = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
_THREE = (
    f"02{_LEAF_X},03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659,"
    "023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66"
)
_WIF = "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1"
_XPRV = (
    "xprvA1RpRA33e1JQ7ifknakTFpgNXPmW2YvmhqLQYMmrj4xJXXWYpDPS3xz7iAxn8L39njGVyuoseXzU6rcxFLJ8HFs"
    "TjSyQbLYnMpCqE2VbFWc"
)

_SCRIPTS = {
    f"wpkh({_KEY})": ["00149a1c78a507689f6f54b847ad1cef1e614ee23f1e"],
    f"wpkh([ffffffff/13']{_C}/1/2/*)": [
        "0014326b2249e3a25d5dc60935f044ee835d090ba859",
        "0014af0bd98abc2f2cae66e36896a39ffe2d32984fb7",
        "00141fa798efd1cbf95cebf912c031b8a4a6e9fb9f27",
    ],
    f"wsh(pkh({_KEY}))": ["0020338e023079b91c58571b20e602d7805fb808c22473cbc391a41b1bd3a192e75b"],
    f"wsh(pk({_KEY}))": ["00202e271faa2325c199d25d22e1ead982e45b64eeb4f31e73dbdf41bd4b5fec23fa"],
    f"sh(wsh(pkh({_KEY})))": ["a914b61b92e2ca21bac1e72a3ab859a742982bea960a87"],
    f"tr({_X})": ["512077aab6e066f8a7419c5ab714c12c67d25007ed55a43cadcacb4d7a970a093f11"],
    f"tr({_X},pk({_OTHER_X}))": [
        "512017cf18db381d836d8923b1bdb246cfcd818da1a9f0e6e7907f187f0b2f937754"
    ],
    f"tr({_A}/0/*,pk({_A}/1/*))": [
        "512078bc707124daa551b65af74de2ec128b7525e10f374dc67b64e00ce0ab8b3e12",
        "512001f0a02a17808c20134b78faab80ef93ffba82261ccef0a2314f5d62b6438f11",
        "512021024954fcec88237a9386fce80ef2ced5f1e91b422b26c59ccfc174c8d1ad25",
    ],
    f"tr({_X},multi_a(1,{_OTHER_X}))": [
        "5120eb5bd3894327d75093891cc3a62506df7d58ec137fcd104cdd285d67816074f3"
    ],
    f"tr({_NUMS},multi_a(2,[00000000/111'/222]{_A},{_B}/0))": [
        "51202eea93581594a43c0c8423b70dc112e5651df63984d108d4fc8ccd3b63b4eafa"
    ],
    f"tr({_NUMS},sortedmulti_a(2,[00000000/111'/222]{_A},{_B}/0))": [
        "512016fa6a6ba7e98c54b5bf43b3144912b78a61b60b02f6a74172b8dcb35b12bc30"
    ],
    f"tr({_NUMS},sortedmulti_a(2,{_A}/*,{_B}/0/0/*))": [
        "5120abd47468515223f58a1a18edfde709a7a2aab2b696d59ecf8c34f0ba274ef772",
        "5120fe62e7ed20705bd1d3678e072bc999acb014f07795fa02cb8f25a7aa787e8cbd",
        "51201311093750f459039adaa2a5ed23b0f7a8ae2c2ffb07c5390ea37e2fb1050b41",
    ],
    f"tr(musig({_THREE}))": [
        "512079e6c3e628c9bfbce91de6b7fb28e2aec7713d377cf260ab599dcbc40e542312"
    ],
    f"tr(musig({_A},{_B})/0/*,pk({_LEAF_X}))": [
        "51201d377b637b5c73f670f5c8a96a2c0bb0d1a682a1fca6aba91fe673501a189782",
        "51208950c83b117a6c208d5205ffefcf75b187b32512eb7f0d8577db8d9102833036",
        "5120a49a477c61df73691b77fcd563a80a15ea67bb9c75470310ce5c0f25918db60d",
    ],
    f"tr({_LEAF_X},pk(musig({_A},{_B})/0/*))": [
        "512068983d461174afc90c26f3b2821d8a9ced9534586a756763b68371a404635cc8",
        "5120368e2d864115181bdc8bb5dc8684be8d0760d5c33315570d71a21afce4afd43e",
        "512097a1e6270b33ad85744677418bae5f59ea9136027223bc6e282c47c167b471d5",
    ],
}


def _parse(text: str) -> Descriptor:
    return parse(text, Network.MAINNET)


@pytest.mark.parametrize("text", _SCRIPTS)
def test_a_descriptor_makes_the_scripts_of_its_bip(text: str) -> None:
    descriptor = _parse(text)
    scripts = _SCRIPTS[text]
    assert [descriptor.at(index).script_pubkey.hex() for index in range(len(scripts))] == scripts
    assert descriptor.is_ranged == (len(scripts) > 1)


def test_sortedmulti_puts_the_derived_keys_in_order() -> None:
    descriptor = _parse(f"wsh(sortedmulti(2,{_A}/*,{_B}/0/0/*))")
    assert [(descriptor.at(index).witness_script or b"").hex() for index in (0, 1, 2)] == [
        "5221025d5fc65ebb8d44a5274b53bac21ff8307fec2334a32df05553459f8b1f7fe1b62102fbd47cc8034098f0"
        "e6a94c6aeee8528abf0a2153a5d8e46d325b7284c046784652ae",
        "52210264fd4d1f5dea8ded94c61e9641309349b62f27fbffe807291f664e286bfbe6472103f4ece6dfccfa37b2"
        "11eb3d0af4d0c61dba9ef698622dc17eecdf764beeb005a652ae",
        "5221022ccabda84c30bad578b13c89eb3b9544ce149787e5b538175b1d1ba259cbb83321024d902e1a2fc7a875"
        "5ab5b694c575fce742c48d9ff192e63df5193e4c7afe1f9c52ae",
    ]


def test_a_multipath_descriptor_stands_for_one_of_each_alternative() -> None:
    descriptor = _parse(f"wsh(multi(2,{_A}/<1;2>/*,{_B}/<3;4>/0/*))")
    assert descriptor.branches == 2
    for branch, (first, second) in enumerate(((1, 3), (2, 4))):
        single = _parse(f"wsh(multi(2,{_A}/{first}/*,{_B}/{second}/0/*))")
        assert descriptor.at(7, branch).script_pubkey == single.at(7).script_pubkey


def test_the_checksum_is_bip380s() -> None:
    assert checksum("raw(deadbeef)") == "89f8spxm"


@pytest.mark.parametrize(
    "ending", ["#", "#89f8spxmx", "#89f8spx", "##9f8spxm", "#00000000", "#aaaaaaaa"]
)
def test_a_checksum_that_does_not_fit_is_refused(ending: str) -> None:
    body = f"wpkh({_KEY})"
    assert _parse(f"{body}#{checksum(body)}") == _parse(body)
    with pytest.raises(DescriptorError, match=r"checksum|characters"):
        _parse(body + ending)


@pytest.mark.parametrize("letter", ["Ü", "\n", "\x00"])
def test_characters_outside_the_set_are_refused(letter: str) -> None:
    with pytest.raises(BitcoinError):
        _parse(f"wpkh({_KEY}{letter})")
    with pytest.raises(DescriptorError):
        checksum(letter)


_MUSIG = f"musig({_THREE})"
_REFUSED = [
    "",
    "raw(deadbeef)",
    f"combo({_KEY})",
    f"addr({_KEY})",
    f"pk({_KEY})",
    f"multi(1,{_KEY})",
    f"sh(multi(1,{_KEY}))",
    f"sh(pk({_KEY}))",
    f"wpkh({_UNCOMPRESSED})",
    f"wsh(pk({_UNCOMPRESSED}))",
    f"tr({_UNCOMPRESSED})",
    f"wsh(wpkh({_KEY}))",
    f"wsh(wsh(pkh({_KEY})))",
    f"sh(wsh(wsh(pkh({_KEY}))))",
    f"wpkh(wsh(pkh({_KEY})))",
    f"wsh({_KEY})",
    f"wsh(tr({_X}))",
    f"sh(tr({_X}))",
    f"wsh(pk({_X}))",
    f"tr({_X}, pkh({_KEY}))",
    f"tr({_X},{{pk({_KEY})}})",
    f"tr({_X},{{pk({_KEY}),pk({_OTHER})}}",
    f"tr({_X},pk({_KEY}),pk({_OTHER}))",
    f"wsh(multi_a(1,{_OTHER}))",
    f"tr({_NUMS},multi(1,{_OTHER}))",
    f"tr({_NUMS},multi_a(a,{_KEY}))",
    f"tr({_NUMS},multi_a(0,{_KEY}))",
    f"tr({_NUMS},multi_a(2,{_KEY}))",
    f"wsh(sortedmulti(1,{_KEY},{_KEY}))",
    f"wsh(and_v(v:sortedmulti(1,{_KEY}),pk({_OTHER})))",
    f"wsh(and_v(v:pk({_KEY}),pk([deadbeef]{_KEY})))",
    "wsh(older(1))",
    f"wsh(or_i(pk({_KEY}),after(7)))",
    # BIP380, key expressions
    f"wpkh([deadbeef/0h/0h/0h/*]{_KEY})",
    f"wpkh([deadbeef/0h/0h/0h/]{_KEY})",
    f"wpkh([deadbef/0h/0h/0h]{_KEY})",
    f"wpkh([deadbeeef/0h/0h/0h]{_KEY})",
    f"wpkh([deadbeef/0f/0f/0f]{_KEY})",
    f"wpkh([deadbeef/0H/0H/0H]{_KEY})",
    f"wpkh([deadbeef/-0/-0/-0]{_KEY})",
    f"wpkh({_A}/2147483648)",
    f"wpkh({_A}/1aa)",
    f"wpkh({_A}/01)",
    f"wpkh([aaaaaaaa][aaaaaaaa]{_A}/0)",
    f"wpkh(aaaaaaaa]{_A}/0)",
    f"wpkh([gaaaaaaa]{_A}/0)",
    "wpkh([deadbeef])",
    f"wpkh({_KEY}/0)",
    f"wpkh(02{'0' * 62}05)",
    f"wpkh({_A}/*/0)",
    f"wpkh({_A}//*)",
    f"wpkh({_A}/)",
    # BIP389, multipath
    f"wpkh({_A}/<0;1>/<2;3>)",
    f"wpkh([deadbeef/<0;1>]{_A}/0)",
    f"wsh(multi(2,{_A}/<1;2;3>/0/*,{_B}/<3;4>/*))",
    f"tr({_C}/<6;7;8;9>/*,{{pk({_A}/<1;2;3>/0/*),pk({_B}/0/0/<3;4;5>/*)}})",
    f"tr(musig({_A}/<0;1>,{_B}/<0;1;2>))",
    f"tr(musig({_A}/<0;1>,{_B})/<0;1>/*)",
    f"wpkh({_A}/<>/*)",
    f"wpkh({_A}/0>/*)",
    f"wpkh({_A}/<0/*)",
    f"wpkh({_A}/<0;>/*)",
    f"wpkh({_A}/<0;0>/*)",
    f"wpkh({_A}/<0>/*)",
    # BIP390, musig
    f"pkh({_MUSIG})",
    f"wpkh({_MUSIG})",
    f"sh(wpkh({_MUSIG}))",
    f"sh(wsh(pk({_MUSIG})))",
    f"wsh(pk({_MUSIG}))",
    f"tr({_MUSIG}/0/0)",
    f"tr(musig({_A}/*,{_B})/0/*)",
    f"tr(musig({_A},{_B})/0h/*)",
    f"tr(musig({_A},{_B})/0/*h)",
    f"tr(musig({_A},musig({_B},{_C})))",
    f"tr(musig({_A}))",
]


@pytest.mark.parametrize("text", _REFUSED)
def test_what_no_bip_allows_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(BitcoinError) as refused:
        _parse(text)
    assert refused.value.allowed


@pytest.mark.parametrize("step", ["/0h/*", "/0'/*", "/*h", "/*'", "/<0h;1>/*"])
def test_a_hardened_step_behind_a_public_key_is_refused(step: str) -> None:
    with pytest.raises(DescriptorError, match="not hardened"):
        _parse(f"wpkh({_A}{step})")


@pytest.mark.parametrize("key", [_WIF, _XPRV, f"{_XPRV}/0/*", f"[deadbeef/0h]{_XPRV}/0"])
@pytest.mark.parametrize("form", ["wpkh({})", "wsh(pk({}))", "tr({})"])
def test_a_private_key_is_refused_and_not_shown(form: str, key: str) -> None:
    with pytest.raises(DescriptorError, match="private key") as refused:
        _parse(form.format(key))
    assert _WIF not in str(refused.value)
    assert _XPRV not in str(refused.value)


def test_another_networks_key_is_refused() -> None:
    with pytest.raises(BitcoinError, match="network"):
        parse(f"wpkh({_A}/0/*)", Network.REGTEST)
