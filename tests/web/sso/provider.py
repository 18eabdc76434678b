"""A small OpenID Connect provider: authorization code with PKCE, signed ID tokens, user info."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "newswatch", "the client's secret"


@dataclass(slots=True)
class Provider:
    """A running provider; `claims` are of the user who logs in next."""

    url: str
    claims: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    """What the user-info endpoint tells instead of `claims`."""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}))
    signs_with: RSAKey | None = None
    """Another key than the published one."""
    granted: dict[str, dict[str, str]] = field(default_factory=dict)
    """Code → what it was asked with."""

    def answer(self, path: str, asked: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
        """Status, and a location or a document."""
        match path:
            case "/.well-known/openid-configuration":
                return 200, {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "userinfo_endpoint": f"{self.url}/userinfo",
                    "jwks_uri": f"{self.url}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            case "/jwks":
                return 200, {"keys": [self.key.as_dict(private=False)]}
            case "/authorize":
                code = secrets.token_urlsafe()
                self.granted[code] = asked
                return 302, f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            case "/token":
                return self._token(asked, headers)
            case "/userinfo":
                return 200, self.told or self.claims
        return 404, {}

    def _token(self, asked: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
        granted = self.granted.pop(asked.get("code", ""), None)
        login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        hashed = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        if granted is None or headers.get("authorization") != f"Basic {login}":
            return 400, {"error": "invalid_client"}
        if granted.get("code_challenge") != challenge or granted["redirect_uri"] != asked.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        stated = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": granted.get("nonce")}
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, stated | self.claims, self.signs_with or self.key)
        return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, query: str) -> None:
            asked = {name: values[0] for name, values in parse_qs(query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, said = running.answer(urlsplit(self.path).path, asked, headers)
            body = b"" if status == 302 else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Location", said) if status == 302 else self.send_header(
                "Content-Type", "application/json"
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
