"""What a host asks of the controller is one trace on both sides, over real HTTPS."""

from pathlib import Path

from fastapi import FastAPI

from agent.identity.controller import Controller, pinned_context
from controller.api.tracing import TracedRequests
from shared.host.tracing import Span, SpanKind, collecting
from shared.identity.pem import certificates_pem
from tests.enrolments import CertificateAuthority, served


async def test_the_controller_s_span_hangs_on_that_of_the_host(tmp_path: Path) -> None:
    app, ca, ended = FastAPI(), CertificateAuthority("ours"), list[Span]()

    @app.get("/api/v1/enrolment/trust")
    def trust() -> dict[str, str]:
        return {"authorities": ""}

    app.add_middleware(TracedRequests)
    context = pinned_context(certificates_pem((ca.root,)))
    with collecting(ended.append), served(app, ca.server_files(tmp_path)) as url:
        async with Controller(url, context) as controller:
            await controller.trust()
    by_kind = {one.kind: one for one in ended}
    asking, serving = by_kind[SpanKind.CLIENT], by_kind[SpanKind.SERVER]
    assert asking.name == serving.name == "GET /api/v1/enrolment/trust"
    assert serving.parent == asking.place
    assert serving.place.trace == asking.place.trace
