"""`bes agent join`: arguments in, words and an exit status out."""

import argparse
import asyncio
import sys

from agent.identity.errors import EnrolmentError
from agent.identity.join import JoinPlan, Surroundings, join
from agent.runtime.host import DataFolderError
from shared.enrolment import MAX_TOKEN_TEXT, parse_token
from shared.errors import BadInputError

_DONE, _FAILED = 0, 1


def run(arguments: argparse.Namespace) -> int:
    """Joins; 1 when it did not work, with the reason on standard error."""
    try:
        plan = JoinPlan(
            url=arguments.url,
            ca_fingerprint=arguments.ca_fingerprint,
            token=parse_token(sys.stdin.read(MAX_TOKEN_TEXT + 1)),
            config_dir=arguments.config_dir.resolve(),
            data_dir=arguments.data_dir.resolve(),
            role=arguments.role,
        )
        asyncio.run(join(plan, Surroundings(tell=_tell)))
    except (EnrolmentError, BadInputError, DataFolderError, OSError) as error:
        sys.stderr.write(f"bes agent join: {error}\n")
        return _FAILED
    return _DONE


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
