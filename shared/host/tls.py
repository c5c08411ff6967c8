"""How every client here trusts a server: TLS 1.3 or nothing, its name checked."""

import ssl
from pathlib import Path


def client_context(
    ca_file: Path | None = None, *, roots_pem: bytes | None = None
) -> ssl.SSLContext:
    """Trusts the roots of the file or of the PEM given, and no others; the system's without either.

    `OSError` (`ssl.SSLError` among them) where the file does not serve.
    """
    context = ssl.create_default_context(
        cafile=None if ca_file is None else str(ca_file),
        cadata=None if roots_pem is None else roots_pem.decode("ascii"),
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
