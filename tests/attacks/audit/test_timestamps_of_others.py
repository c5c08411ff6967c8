"""A timestamp by an authority that nobody trusts is none."""

import base64
from pathlib import Path

from controller.audit.stamps import question
from tests.attacks.audit.conftest import Auditor
from tests.timestamp_authority import make_authority


def test_a_timestamp_of_another_authority_is_refused(auditor: Auditor, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path / "stranger", "Somebody")
    export = list(auditor.export)
    at = next(at for at, one in enumerate(export) if "timestamp" in one)
    response = stranger.stamp(question(export[at - 1]["head"]).body)
    export[at] = {**export[at], "response": base64.b64encode(response).decode()}
    told = auditor.refuses(export, *auditor.roots)
    assert "the timestamp of the head of size 12" in told
    assert "does not lead to the authority's roots" in told
