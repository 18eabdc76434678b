"""The mailer against a real server that wants TLS of its own authority, a client's certificate, or an access token."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from delivery.channels.email import check
from delivery.channels.email_return_path import return_path
from delivery.channels.email_smtp import Mailer
from embedded.processes import free_port
from newswatch.settings import Settings
from tests.delivery.channels.test_email_smtp import ANN, BOB, a_message


def authority(folder: Path, name: str) -> Path:
    """A file with a certificate for localhost that is its own authority, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pem")
    return {name: authority(folder, name) for name in ("server", "client", "stranger")}


class Office:
    """Takes mails from who is let in."""

    def __init__(self) -> None:
        self.senders: list[str] = []
        self.tokens = {"good"}

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.senders.append(envelope.mail_from or "")
        return "250 OK"

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802
        said = base64.b64decode(args[1]).decode()
        if said in {f"user=news@ministry.example\x01auth=Bearer {token}\x01\x01" for token in self.tokens}:
            return AuthResult(success=True)
        await server.challenge_auth(json.dumps({"status": "400"}), encode_to_b64=True)
        return AuthResult(success=False, handled=False)


@contextmanager
def office(context: ssl.SSLContext, **options: Any) -> Iterator[tuple[Office, int]]:
    handler = Office()
    controller = Controller(
        handler, hostname="localhost", port=free_port(), tls_context=context, require_starttls=True, **options
    )
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


def context_of(certificate: Path, client: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client)
    return context


def at(settings: Settings, port: int, **changed: Any) -> Settings:
    here = {"smtp_host": "localhost", "smtp_port": port, "smtp_security": "starttls"}
    return settings.model_copy(update=here | changed)


def test_a_server_of_an_authority_of_its_own(settings: Settings, pem: dict[str, Path]) -> None:
    with office(context_of(pem["server"])) as (taken, port):
        unknown = Mailer(at(settings, port)).send(a_message(), [ANN])
        other = Mailer(at(settings, port, smtp_ca_certs=pem["stranger"])).send(a_message(), [ANN])
        assert "certificate verify failed" in (unknown.down or "")
        assert "certificate verify failed" in (other.down or "")
        with Mailer(at(settings, port, smtp_ca_certs=pem["server"])) as mailer:
            assert mailer.send(a_message(), [ANN]).accepted == (ANN,)
    assert len(taken.senders) == 1


def test_a_server_that_wants_the_clients_certificate(settings: Settings, pem: dict[str, Path], tmp_path: Path) -> None:
    with office(context_of(pem["server"], pem["client"])) as (_, port):
        here = at(settings, port, smtp_ca_certs=pem["server"])
        assert Mailer(here).send(a_message(), [ANN]).accepted == ()
        shown = here.model_copy(update={"smtp_client_cert": pem["client"]})
        with Mailer(shown) as mailer:
            assert mailer.send(a_message(), [ANN]).accepted == (ANN,)
        (tmp_path / "empty.pem").touch()
        wrong = Mailer(here.model_copy(update={"smtp_client_cert": tmp_path / "empty.pem"})).send(a_message(), [ANN])
        assert "NEWSWATCH_SMTP_CLIENT_CERT" in (wrong.down or "")


Answer = Callable[[dict[str, str]], tuple[int, Any]]


@contextmanager
def authorization_server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, said = answer({name: values[0] for name, values in form.items()})
            body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


def test_a_log_in_by_token_renews_one_that_the_server_refuses(settings: Settings, pem: dict[str, Path]) -> None:
    asked: list[dict[str, str]] = []

    def answer(form: dict[str, str]) -> tuple[int, Any]:
        asked.append(form)
        return 200, {"access_token": ["old", "good"][len(asked) - 1], "expires_in": 3_600}

    with office(context_of(pem["server"])) as (taken, port), authorization_server(answer) as url:
        oauth = {
            "smtp_ca_certs": pem["server"],
            "smtp_username": "news@ministry.example",
            "smtp_oauth_url": url,
            "smtp_oauth_client_id": "newswatch",
            "smtp_oauth_client_secret": SecretStr("hidden"),
            "smtp_oauth_refresh_token": SecretStr("refreshing"),
        }
        here = at(settings, port, **oauth)
        refused = Mailer(here).send(a_message(), [ANN])
        assert "535" in (refused.down or "")
        assert "old" not in (refused.down or "")
        for _ in range(2):
            with Mailer(here) as mailer:
                assert mailer.send(a_message(), [ANN]).accepted == (ANN,)
    assert [form["grant_type"] for form in asked] == ["refresh_token"] * 2, "a good token is kept"
    assert asked[0]["refresh_token"] == "refreshing"
    assert len(taken.senders) == 2


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((400, {"error": "invalid_grant", "error_description": "expired"}), "gives no token: invalid_grant expired"),
        ((200, {"access_token": "a\r\nb"}), "gives no token: 200"),
        ((200, ["x"]), "gives no token: 200"),
        ((302, "elsewhere"), "answers 302, and not in JSON"),
    ],
)
def test_no_token_is_told_without_the_secret(settings: Settings, pem: dict[str, Path], answer: Any, told: str) -> None:
    with office(context_of(pem["server"])) as (_, port), authorization_server(lambda _: answer) as url:
        oauth = {"smtp_username": "news", "smtp_oauth_url": url, "smtp_oauth_client_id": "newswatch"}
        secret = {"smtp_oauth_client_secret": SecretStr("hidden"), "smtp_ca_certs": pem["server"]}
        down = Mailer(at(settings, port, **oauth, **secret)).send(a_message(), [ANN]).down or ""
    assert told in down
    assert "hidden" not in down


def test_a_bounce_goes_to_an_address_of_the_recipients_own(settings: Settings, pem: dict[str, Path]) -> None:
    with office(context_of(pem["server"])) as (taken, port):
        here = at(settings, port, smtp_ca_certs=pem["server"], mail_bounces="bounces@news.example")
        with Mailer(here) as mailer:
            assert mailer.send(a_message(), [ANN]).accepted == (ANN,)
            assert mailer.send(a_message(), [ANN, BOB]).accepted == (ANN, BOB)
    assert taken.senders == [return_path("bounces@news.example", ANN, "for tests"), "bounces@news.example"]


def test_an_address_for_bounces_must_have_room_for_the_token(settings: Settings) -> None:
    check(settings.model_copy(update={"mail_bounces": "bounces@news.example"}))
    for address in ("bounces", f"{'b' * 40}@news.example"):
        with pytest.raises(ValueError, match="NEWSWATCH_MAIL_BOUNCES"):
            check(settings.model_copy(update={"mail_bounces": address}))
