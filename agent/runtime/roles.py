"""Builds the role that the configuration names; each role is imported only when it is chosen."""

from agent.clock import Clock
from agent.config import AgentConfig
from agent.database import Database
from agent.recorder import Recorder
from agent.role import Role


async def build_role(
    config: AgentConfig, database: Database, recorder: Recorder, clock: Clock
) -> Role:
    """The role, built and not yet running."""
    match config.role:
        case "site":
            from agent.site.role import build_site

            return await build_site(config, database, recorder, clock)
        case "signer":
            from agent.signer.role import build_signer

            return await build_signer(config.data_dir, recorder, clock)
