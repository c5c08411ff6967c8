"""The errors of `shared.bitcoin`: each names the field, what is wrong, and what is allowed."""

from shared.errors import BadInputError


class BitcoinError(BadInputError):
    """Input that breaks a rule of Bitcoin's; nothing was changed."""


class EncodingError(BitcoinError):
    """Bytes or text that are no canonical encoding."""


class AddressError(BitcoinError):
    """An address that cannot be paid: malformed, or not what was asked for."""


class WrongNetworkError(BitcoinError):
    """An address or key of another network than the one in use."""


class ScriptError(BitcoinError):
    """A script that cannot be built or read."""


class TransactionError(BitcoinError):
    """A transaction, or a part of one, that consensus would refuse as such."""


class SighashError(BitcoinError):
    """A signature digest that this suite does not make."""


class KeyMaterialError(BitcoinError):
    """A key, seed, path or mnemonic that is invalid. Never shows secret bytes."""


class PsbtError(BitcoinError):
    """A PSBT that breaks BIP174, BIP370 or one of their extensions."""


class DescriptorError(BitcoinError):
    """An output descriptor that is malformed or not supported."""


class MiniscriptError(BitcoinError):
    """A miniscript expression that is malformed, ill-typed or not sane."""
