"""The networks' prefixes are those that Bitcoin Core and an independent library use."""

import pytest
from btclib.network import NETWORKS
from btclib.p2p.magic import magic_from_network

from shared.bitcoin.networks import Network

NAMES = {Network.MAINNET: "mainnet"}


@pytest.mark.parametrize("network", list(Network))
def test_a_networks_prefixes_are_the_oracles(network: Network) -> None:
    name = NAMES.get(network, network.value)
    oracle = NETWORKS[name]
    assert network.hrp == oracle.hrp
    assert bytes((network.p2pkh_version,)) == oracle.p2pkh
    assert bytes((network.p2sh_version,)) == oracle.p2sh
    assert bytes((network.wif_version,)) == oracle.wif
    assert network.xpub_version == oracle.bip32_pub
    assert network.xprv_version == oracle.bip32_prv
    assert network.magic == magic_from_network(name)
    assert network.coin_type == (0 if network is Network.MAINNET else 1)


def test_networks_are_named_as_bitcoin_core_names_its_chains() -> None:
    assert [one.value for one in Network] == ["main", "testnet4", "signet", "regtest"]
    assert Network("regtest") is Network.REGTEST
