"""The REST interface: `/api/v1/<resource>` is `controller/api/v1/<resource>`.

A resource is a folder with `routes.py`, `requests.py` and `responses.py`; its router is entered in
`controller.api.v1`. What all of them share stands here: `problems` (RFC 9457), `paging`,
`idempotency`, `preconditions` (If-Match). Only `controller.app` imports this package.
"""
