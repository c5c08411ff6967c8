"""The server's side of HTTP digest access authentication (RFC 7616, MD5, qop "auth")."""

import hashlib
import hmac
import re
import secrets

_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_MAX_HEADER = 2_000


class DigestGuard:
    """Knows one user; `admits` judges an Authorization header, `challenge` asks for one."""

    def __init__(self, realm: str, username: str, password: str) -> None:
        self._realm = realm
        self._username = username
        self._secret = _md5(f"{username}:{realm}:{password}")
        self._nonce = secrets.token_hex(16)

    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return f'Digest realm="{self._realm}", nonce="{self._nonce}", qop="auth", algorithm=MD5'

    def admits(self, method: str, header: str) -> bool:
        """Whether the header proves the password for this request."""
        if not header.startswith("Digest ") or len(header) > _MAX_HEADER:
            return False
        sent = {name: quoted or bare for name, quoted, bare in _FIELD.findall(header)}
        if sent.get("username") != self._username or sent.get("nonce") != self._nonce:
            return False
        request = _md5(f"{method}:{sent.get('uri', '')}")
        proof = ":".join(
            (self._secret, self._nonce, sent.get("nc", ""), sent.get("cnonce", ""), "auth", request)
        )
        return hmac.compare_digest(_md5(proof), sent.get("response", ""))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
