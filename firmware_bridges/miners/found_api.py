"""A miner whose firmware decides which of several APIs it speaks."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from firmware_bridges.capabilities import MinerCapabilities
from firmware_bridges.errors import DeviceError
from firmware_bridges.miners.deadline import Deadline
from firmware_bridges.readings import MinerReading
from shared.setpoints import Setpoint


class ApiMiner(Protocol):
    """A miner over one API: `protocol.Miner`, each call within a deadline that the caller set."""

    async def capabilities(self, deadline: Deadline) -> MinerCapabilities:
        """See `Miner.capabilities`."""
        ...

    async def read(self, deadline: Deadline) -> MinerReading:
        """See `Miner.read`."""
        ...

    async def apply(self, setpoint: Setpoint, deadline: Deadline) -> None:
        """See `Miner.apply`."""
        ...

    async def reboot(self, deadline: Deadline) -> None:
        """See `Miner.reboot`."""
        ...


class FoundApiMiner:
    """One miner. The first call finds its API with `find`, and the answer is kept; where it was
    `asked` of the miner, until a read fails altogether. Every call ends within `deadline_s`."""

    def __init__(
        self,
        find: Callable[[Deadline], Awaitable[ApiMiner]],
        *,
        asked: bool,
        deadline_s: float,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._find = find
        self._asked = asked
        self._deadline_s = deadline_s
        self._close = close
        self._miner: ApiMiner | None = None

    async def capabilities(self) -> MinerCapabilities:
        """As the API found offers."""
        deadline = Deadline(self._deadline_s)
        return await (await self._found(deadline)).capabilities(deadline)

    async def read(self) -> MinerReading:
        """One snapshot."""
        deadline = Deadline(self._deadline_s)
        miner = await self._found(deadline)
        try:
            return await miner.read(deadline)
        except DeviceError:
            if self._asked:
                self._miner = None
            raise

    async def apply(self, setpoint: Setpoint) -> None:
        """One write."""
        deadline = Deadline(self._deadline_s)
        await (await self._found(deadline)).apply(setpoint, deadline)

    async def reboot(self) -> None:
        """Restarts the control board."""
        deadline = Deadline(self._deadline_s)
        await (await self._found(deadline)).reboot(deadline)

    async def close(self) -> None:
        """Forgets the API, and with it tokens and sessions."""
        self._miner = None
        if self._close is not None:
            await self._close()

    async def _found(self, deadline: Deadline) -> ApiMiner:
        if self._miner is None:
            self._miner = await self._find(deadline)
        return self._miner
