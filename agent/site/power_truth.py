"""Which of several readings of a miner's power is believed. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from shared.measured import Measured, Reason, Unknown


class PowerSource(StrEnum):
    """Where a power figure comes from, most trusted first."""

    PDU = "pdu"
    METER = "meter"
    MINER = "miner"
    NAMEPLATE = "nameplate"


@dataclass(frozen=True, slots=True)
class PowerClaims:
    """What each source says, in watts; None where the site has no such source for the miner.

    `pdu` is the outlet that feeds the miner alone, `meter` one that measures it alone, `miner` its
    own word, `nameplate` what its operating point is rated at while it is known to hash.
    """

    pdu: Measured[float] | None = None
    meter: Measured[float] | None = None
    miner: Measured[float] | None = None
    nameplate: Measured[float] | None = None


def power_truth(claims: PowerClaims) -> tuple[Measured[float], PowerSource | None]:
    """The most trusted figure that is known and its source.

    Without any, unknown for the reason of the most trusted source there is, and no source.
    """
    unknown: Unknown | None = None
    for source, claim in (
        (PowerSource.PDU, claims.pdu),
        (PowerSource.METER, claims.meter),
        (PowerSource.MINER, claims.miner),
        (PowerSource.NAMEPLATE, claims.nameplate),
    ):
        if claim is None:
            continue
        if not isinstance(claim, Unknown):
            return claim, source
        unknown = unknown or claim
    return unknown or Unknown(Reason.NOT_CONFIGURED, "nothing measures its power"), None
