"""The scripts of a wallet's descriptor."""

from shared.bitcoin.descriptors import Descriptor, parse
from shared.bitcoin.networks import Network


class DescriptorScripts:
    """A descriptor as `indices.WalletScripts`."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    @classmethod
    def of_text(cls, text: str, network: Network) -> "DescriptorScripts":
        """Of a descriptor's text; `DescriptorError` where it is none of that network."""
        return cls(parse(text, network))

    @property
    def branches(self) -> int:
        """See `WalletScripts`."""
        return self._descriptor.branches

    @property
    def input_weight(self) -> int:
        """See `WalletScripts`."""
        return self._descriptor.max_input_weight

    def script_at(self, branch: int, index: int) -> bytes:
        """See `WalletScripts`."""
        return self._descriptor.at(index, branch).script_pubkey
