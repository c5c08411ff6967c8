"""A new site on a fresh Debian 12, from `bes node new` to telemetry, written down as it happens.

`python -m tests.systemd.transcript > docs/new-site-transcript.md`. The machine has loopback only:
controller, broker and site share it, so the site finds the software unpacked. How long the
controller's host took before the clock starts, unpacking and the authority's ceremony included, is
the first line.
"""

import re
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.systemd.bundles import make_bundle
from tests.systemd.deployment import ACCESS, NODES, SITE, TOKEN_FILE, URL, Deployment
from tests.systemd.machines import machine

_PATIENCE_S = 180.0
_NODE = NODES["site"]
_SHOWN = """
import json, httpx2, pathlib, ssl
token = pathlib.Path("TOKEN_FILE").read_text().strip()
context = ssl.create_default_context(cafile="/etc/bes/controller/ca/roots.pem")
answer = httpx2.get("URL/api/v1/sites/site-a/overview", verify=context,
                    headers={"Authorization": "Bearer " + token})
print(json.dumps(answer.json(), indent=1))
""".replace("URL", URL).replace("TOKEN_FILE", TOKEN_FILE)
_TOKEN = re.compile(r"(?<=printf '%s' )\S+")


@dataclass(slots=True)
class Transcript:
    """What was given and answered, with the seconds since the clock started."""

    started_s: float
    lines: list[str] = field(default_factory=list)

    def note(self, prompt: str, output: str) -> None:
        """One command and what it said; a token is not repeated."""
        elapsed_s = time.monotonic() - self.started_s
        self.lines.append(f"[{elapsed_s:6.1f} s] {prompt}")
        self.lines += _TOKEN.sub("TOKEN", output).strip().splitlines()


def record(folder: Path) -> str:
    """The page."""
    bundle = make_bundle(folder / "bundles", "0.1.0")
    with machine("bookworm", folder, {bundle: "/srv/bundle"}) as booted:
        deployed = Deployment(booted, "/srv/bundle")
        began_s = time.monotonic()
        deployed.set_up_controller()
        transcript = Transcript(time.monotonic())
        took_s = transcript.started_s - began_s
        transcript.lines.append(f"(the controller's host was set up in {took_s:.1f} s)")
        new = f"bes node {ACCESS} new {_NODE} --site site-a --role site"
        told = booted.run(new).output
        transcript.note(f"controller# bes node new {_NODE} --site site-a --role site", told)
        printed = f"{told.strip().splitlines()[-1]}\n"
        said = deployed.on_the_host(printed).output
        transcript.note(f"site$ {_TOKEN.sub('TOKEN', printed).strip()}", said)
        state = booted.run(f"systemctl is-active {SITE}").output
        transcript.note(f"site# systemctl is-active {SITE}", state)
        booted.wait_for(lambda: _NODE in deployed.committed(), "telemetry", _PATIENCE_S)
        shown = booted.run("/opt/bes/current/bin/python -I -", _SHOWN).output
        transcript.note("controller# GET /api/v1/sites/site-a/overview", shown)
    text = "\n".join(f"    {line}" for line in transcript.lines)
    said_of_it = (__doc__ or "").partition("\n\n")[2].strip()
    return f"# A new site: transcript\n\nPrinted by {said_of_it}\n\n{text}\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.stdout.write(record(Path(made)))
