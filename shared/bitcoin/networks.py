"""The networks, and what they put before addresses, keys and messages (Core's chainparams)."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Parameters:
    hrp: str
    p2pkh_version: int
    p2sh_version: int
    wif_version: int
    xpub_version: bytes
    xprv_version: bytes
    coin_type: int
    magic: bytes


_XPUB, _XPRV = bytes.fromhex("0488b21e"), bytes.fromhex("0488ade4")
_TPUB, _TPRV = bytes.fromhex("043587cf"), bytes.fromhex("04358394")


def _test_network(hrp: str, magic: str) -> _Parameters:
    """The test networks share everything but the prefix of segwit addresses and the magic."""
    return _Parameters(hrp, 0x6F, 0xC4, 0xEF, _TPUB, _TPRV, 1, bytes.fromhex(magic))


class Network(Enum):
    """A Bitcoin network; the value is the name that configuration and Bitcoin Core use.

    Test networks share prefixes: a base58 address or key of one cannot be told from another's, and
    a segwit address of testnet4 not from signet's.
    """

    MAINNET = "main"
    TESTNET4 = "testnet4"
    SIGNET = "signet"
    REGTEST = "regtest"

    @property
    def hrp(self) -> str:
        """The human-readable part of segwit addresses (BIP173)."""
        return _PARAMETERS[self].hrp

    @property
    def p2pkh_version(self) -> int:
        """The version byte of base58 addresses that pay to a public key's hash."""
        return _PARAMETERS[self].p2pkh_version

    @property
    def p2sh_version(self) -> int:
        """The version byte of base58 addresses that pay to a script's hash."""
        return _PARAMETERS[self].p2sh_version

    @property
    def wif_version(self) -> int:
        """The version byte of a single private key in base58."""
        return _PARAMETERS[self].wif_version

    @property
    def xpub_version(self) -> bytes:
        """The four version bytes of an extended public key (BIP32)."""
        return _PARAMETERS[self].xpub_version

    @property
    def xprv_version(self) -> bytes:
        """The four version bytes of an extended private key (BIP32)."""
        return _PARAMETERS[self].xprv_version

    @property
    def coin_type(self) -> int:
        """The coin type in derivation paths (SLIP44): 0, or 1 on every test network."""
        return _PARAMETERS[self].coin_type

    @property
    def magic(self) -> bytes:
        """The four bytes before every message between nodes.

        For signet these are the default signet's (BIP325); a custom challenge has others.
        """
        return _PARAMETERS[self].magic


_PARAMETERS = {
    Network.MAINNET: _Parameters(
        "bc", 0x00, 0x05, 0x80, _XPUB, _XPRV, 0, bytes.fromhex("f9beb4d9")
    ),
    Network.TESTNET4: _test_network("tb", "1c163f28"),
    Network.SIGNET: _test_network("tb", "0a03cf40"),
    Network.REGTEST: _test_network("bcrt", "fabfb5da"),
}
