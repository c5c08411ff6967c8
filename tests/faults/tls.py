"""A client's side of TLS, from the files of a deployment."""

import ssl
from pathlib import Path


def client_context(ca_file: Path, identity: Path) -> ssl.SSLContext:
    """TLS 1.3 with the certificate `identity`.pem and the key `identity`.key."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.with_suffix(".pem"), identity.with_suffix(".key"))
    return context
