"""The agent's configuration file as enrolment writes it. Pure: values in, values out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.identity.errors import EnrolmentError

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What the controller told a host that it let in."""

    node: str
    role: str
    url: str
    broker_host: str
    broker_port: int
    command_keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie on the host."""

    data_dir: Path
    identity_dir: Path
    roots_file: Path
    certificate_file: Path
    key_file: Path
    command_key_files: Mapping[str, Path]


def merged(existing: Table, enrolled: Enrolled, places: Places) -> dict[str, Any]:
    """`existing` with what enrolment decides over it: whatever else an operator wrote (devices,
    limits, prices) stays.

    `EnrolmentError` when the file is another node's.
    """
    other = existing.get("node", enrolled.node)
    if other != enrolled.node:
        raise EnrolmentError(f"the configuration there is of node {other}, not {enrolled.node}")
    broker = {
        **_table(existing, "broker"),
        "host": enrolled.broker_host,
        "port": enrolled.broker_port,
        "ca_file": str(places.roots_file),
        "certificate_file": str(places.certificate_file),
        "key_file": str(places.key_file),
    }
    keys = {key_id: str(file) for key_id, file in places.command_key_files.items()}
    return {
        **existing,
        "node": enrolled.node,
        "role": enrolled.role,
        "data_dir": str(places.data_dir),
        "broker": broker,
        "commands": {**_table(existing, "commands"), "trusted_keys": keys},
        "identity": {
            **_table(existing, "identity"),
            "url": enrolled.url,
            "folder": str(places.identity_dir),
        },
    }


def _table(existing: Table, name: str) -> dict[str, Any]:
    found = existing.get(name, {})
    return dict(found) if isinstance(found, Mapping) else {}
