"""Fetching through a proxy: a small one that is always here, and Debian's tinyproxy where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError
from yarl import URL

from embedded.processes import free_port
from ingest.discovery.discover import discover
from ingest.http.fetch import Fetcher
from ingest.http.fetched import FailureKind, Fetched, FetchFailed, FetchResult, Request
from ingest.http.guard import proxied_refusal
from ingest.http.silence import is_silent
from newswatch.errors import ConfigError
from newswatch.no_proxy import is_direct, read_no_proxy
from newswatch.setting_faults import disagreements
from newswatch.settings import Settings
from tests.ingest.proxy import LoopbackProxy, proxying
from tests.ingest.server import Publisher, publishing, response
from tests.ingest.test_fetch import BODY

PAPER = "paper.newspress.org"
SECRET = "op-en:s%C3%A9same"
FEED = response(b"<rss version='2.0'><channel><title>x</title><item><title>NATO</title></item></channel></rss>")


def certificate(folder: Path, *hosts: str) -> Path:
    """A certificate for the hosts, which signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{hosts[0]}.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


def serving(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def through(
    url: str,
    answers: dict[str, bytes],
    *,
    login: str | None = None,
    refuses: int | None = None,
    tls: Path | None = None,
    proxy_tls: Path | None = None,
    use: Callable[[Fetcher, str], Awaitable[Any]] = lambda fetcher, url: fetcher.fetch(Request(url)),
    **settings: Any,
) -> tuple[Any, LoopbackProxy, Publisher]:
    """What a fetcher gets behind a proxy that alone knows where the paper is."""

    async def run() -> tuple[Any, LoopbackProxy, Publisher]:
        async with AsyncExitStack() as stack:
            publisher = await stack.enter_async_context(publishing(answers))
            names = {f"{PAPER}:80": publisher.port}
            if tls:
                secure = await asyncio.start_server(publisher.serve, "127.0.0.1", 0, ssl=serving(tls))
                stack.callback(secure.close)
                names[f"{PAPER}:443"] = secure.sockets[0].getsockname()[1]
            proxy = LoopbackProxy(names, login, refuses)
            await stack.enter_async_context(proxying(proxy, serving(proxy_tls) if proxy_tls else None))
            host = "localhost" if proxy_tls else "127.0.0.1"
            address = f"{'https' if proxy_tls else 'http'}://{host}:{proxy.port}"
            given: dict[str, Any] = {"fetch_proxy": address, "fetch_host_delay_s": 0.0, **settings}
            async with Fetcher(Settings(**given)) as fetcher:
                return await use(fetcher, url), proxy, publisher

    return asyncio.run(run())


def failure(outcome: FetchResult) -> FetchFailed:
    assert isinstance(outcome, FetchFailed), outcome
    return outcome


# ── what passes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_only_the_proxy_knows_is_fetched() -> None:
    outcome, proxy, publisher = through(f"http://{PAPER}/x", {"/x": response(BODY)})
    assert isinstance(outcome, Fetched)
    assert outcome.body == BODY
    assert proxy.asked == [f"GET http://{PAPER}/x"]
    assert publisher.asked[0][1]["host"] == PAPER


def test_tls_passes_through_a_tunnel_and_the_login_stays_at_the_proxy(tmp_path: Path) -> None:
    pem = certificate(tmp_path, PAPER)
    outcome, proxy, publisher = through(
        f"https://{PAPER}/x",
        {"/x": response(BODY)},
        tls=pem,
        login="minister:geheim",
        fetch_proxy_username="minister",
        fetch_proxy_password="geheim",
        fetch_ca_certs=pem,
    )
    assert isinstance(outcome, Fetched)
    assert proxy.asked == [f"CONNECT {PAPER}:443"]
    assert "proxy-authorization" not in publisher.asked[0][1]


def test_the_proxy_itself_may_speak_tls(tmp_path: Path) -> None:
    pem = certificate(tmp_path, PAPER, "localhost")
    for url in (f"http://{PAPER}/x", f"https://{PAPER}/x"):
        outcome, _, _ = through(url, {"/x": response(BODY)}, tls=pem, proxy_tls=pem, fetch_ca_certs=pem)
        assert isinstance(outcome, Fetched), outcome


def test_an_unknown_authority_is_the_hosts_fault_and_not_the_proxys(tmp_path: Path) -> None:
    outcome, _, _ = through(f"https://{PAPER}/x", {"/x": response(BODY)}, tls=certificate(tmp_path, PAPER))
    failed = failure(outcome)
    assert PAPER in failed.reason
    assert "certificate" in failed.reason
    assert not failed.by_proxy


def test_robots_discovery_and_redirects_go_the_same_way() -> None:
    answers = {
        "/": response(b"", "302 Found", {"Location": "/home"}),
        "/home": response(b"<html><link rel='alternate' type='application/rss+xml' href='/f'></html>"),
        "/f": FEED,
        "/robots.txt": response(b"User-agent: *\nDisallow: /closed"),
    }

    async def use(fetcher: Fetcher, url: str) -> Any:
        return await discover(fetcher, url, now=datetime.now(UTC)), await fetcher.fetch_page(f"{url}closed")

    (found, closed), proxy, _ = through(f"http://{PAPER}/", answers, use=use)
    assert [feed.url for feed in found.feeds] == [f"http://{PAPER}/f"]
    assert failure(closed).reason == f"robots.txt of {PAPER} forbids http://{PAPER}/closed"
    assert all(PAPER in asked for asked in proxy.asked)


def test_hosts_of_the_list_are_reached_without_it() -> None:
    async def use(fetcher: Fetcher, _: str) -> FetchResult:
        async with publishing({"/x": response(BODY)}) as near:
            fetcher._routes._direct.connector._resolver._allowed = {f"127.0.0.1:{near.port}"}  # type: ignore[union-attr]
            fetcher._routes._allowed = frozenset({f"127.0.0.1:{near.port}"})
            return await fetcher.fetch(Request(near.url("/x")))

    outcome, proxy, _ = through("", {}, use=use, fetch_no_proxy="127.0.0.0/8")
    assert isinstance(outcome, Fetched)
    assert proxy.asked == []


def test_a_host_without_the_proxy_is_guarded_as_ever() -> None:
    outcome, proxy, _ = through("http://localhost/x", {}, fetch_no_proxy="localhost")
    assert failure(outcome).kind is FailureKind.REFUSED
    assert proxy.asked == []


# ── what the guard refuses ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://intranet/",
        "http://localhost/",
        "http://db.internal/",
        "http://printer.local/",
        "http://paper.org:22/",
        "http://paper.org:9200/",
        "https://paper.org:25/",
    ],
)
def test_the_proxy_is_not_sent_inside(url: str) -> None:
    assert proxied_refusal(URL(url), ())
    redirect = response(b"", "302 Found", {"Location": url})
    outcome, proxy, _ = through(f"http://{PAPER}/x", {"/x": redirect})
    assert failure(outcome).kind is FailureKind.REFUSED
    assert proxy.asked == [f"GET http://{PAPER}/x"], "a redirect is checked like an address"


@pytest.mark.parametrize(
    "url", ["http://paper.org/", "https://paper.org:8443/", "http://1.1.1.1/", "http://a.b.co.uk/"]
)
def test_public_names_and_the_ports_of_the_web_pass(url: str) -> None:
    assert proxied_refusal(URL(url), ()) is None


def test_the_allow_list_exempts_a_name_and_its_port() -> None:
    assert proxied_refusal(URL("http://news.internal:9000/"), {"news.internal:9000"}) is None


# ── whose fault it is ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_login_is_the_proxys_and_shows_no_password(scheme: str) -> None:
    asked: dict[str, Any] = {"fetch_proxy_username": "minister", "fetch_proxy_password": "geheim"}
    wrong, _, _ = through(f"{scheme}://{PAPER}/x", {}, login="minister:anders", **asked)
    none, _, _ = through(f"{scheme}://{PAPER}/x", {}, login="minister:anders")
    for outcome, said in ((wrong, "refuses the user and password"), (none, "requires a login")):
        failed = failure(outcome)
        assert failed.by_proxy
        assert is_silent(failed), "as if no host had answered: an outage of ours"
        assert said in failed.reason
        assert "407" in failed.reason
        assert "geheim" not in repr(failed)


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "http://no-such-host.invalid:3128"])
def test_a_dead_proxy_is_named_and_not_the_host(address: str) -> None:
    with socket.socket() as deaf:  # bound and not listening: refuses, and no server of the test can get its port
        deaf.bind(("127.0.0.1", 0))
        where, url = address.format(port=deaf.getsockname()[1]), f"https://{PAPER}/x"
        outcome, _, _ = through(url, {}, fetch_proxy=where)
        page, _, _ = through(url, {}, fetch_proxy=where, use=lambda fetcher, url: fetcher.fetch_page(url))
    for failed in (failure(outcome), failure(page)):
        assert failed.by_proxy
        assert failed.reason.startswith(f"the proxy {where.removeprefix('http://')} can't be reached: ")
        assert PAPER not in failed.reason


def test_a_host_that_the_proxy_does_not_reach_is_the_host_s_fault() -> None:
    outcome, _, _ = through("https://gone.newspress.org/x", {})
    failed = failure(outcome)
    assert not failed.by_proxy
    assert failed.kind is FailureKind.TRANSIENT
    assert failed.reason.startswith("gone.newspress.org can't be reached: the proxy 127.0.0.1:")
    assert failed.reason.endswith("answered 502 Bad Gateway")


def test_what_the_proxy_forbids_is_told_as_that() -> None:
    outcome, _, _ = through(f"https://{PAPER}/x", {}, refuses=403)
    failed = failure(outcome)
    assert failed.kind is FailureKind.REFUSED
    assert failed.reason.endswith(f"lets nobody through to {PAPER}: 403 Forbidden")


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_login_in_the_address_is_parted_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(fetch_proxy=f"http://{SECRET}@proxy.ministry:3128/")
    assert settings.fetch_proxy == "http://proxy.ministry:3128"
    assert settings.fetch_proxy_username == "op-en"
    assert settings.fetch_proxy_password
    assert settings.fetch_proxy_password.get_secret_value() == "sésame"
    assert "sésame" not in repr(settings)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    assert Settings(fetch_proxy="proxy.ministry:3128").fetch_proxy == "http://proxy.ministry:3128"
    assert Settings(fetch_proxy="").fetch_proxy is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"fetch_proxy": "socks5://geheim:geheim@p:1"},
        {"fetch_proxy": "http://u:geheim@p:1/path"},
        {"fetch_proxy": "http://u:geheim@:1"},
        {"fetch_no_proxy": "10.0.0.0/99"},
        {"fetch_no_proxy": "a b:99999"},
        {"fetch_no_proxy": "http://example.org"},
    ],
)
def test_a_wrong_proxy_is_an_error_that_shows_no_password(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        Settings(**wrong)
    assert "geheim" not in str(error.value)


def test_settings_that_miss_each_other_are_found(tmp_path: Path) -> None:
    said = {str(fault) for fault in disagreements(Settings(fetch_no_proxy="x.org", fetch_ca_certs=tmp_path / "none"))}
    assert any("FETCH_NO_PROXY" in one for one in said)
    assert any("FETCH_CA_CERTS" in one for one in said)
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match="no certificate"):
        through(f"http://{PAPER}/", {}, fetch_ca_certs=tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("items", "host", "port", "direct"),
    [
        ("paper.org", "paper.org", 443, True),
        ("paper.org", "www.Paper.org.", 443, True),
        ("paper.org", "newspaper.org", 443, False),
        (".paper.org", "paper.org", 443, False),
        ("*.paper.org", "a.paper.org", 443, True),
        ("paper.org:8080", "paper.org", 443, False),
        ("10.0.0.0/8, fe80::/10", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "paper.org", 80, False),
        ("fd00::/8", "[fd00::1]", 80, True),
        ("*", "anything", 80, True),
        ("", "anything", 80, False),
    ],
)
def test_which_hosts_are_direct(items: str, host: str, port: int, direct: bool) -> None:
    assert is_direct(read_no_proxy(items), host, port) is direct


# ── tinyproxy ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def tinyproxy(folder: Path, port: int, allowed: int) -> Iterator[None]:
    config = folder / "tinyproxy.conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 10\nMaxClients 10\nAllow 127.0.0.1\n"
        f"BasicAuth minister geheim\nConnectPort {allowed}\n"
    )
    command = [shutil.which("tinyproxy") or "", "-d", "-c", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


@pytest.mark.skipif(not shutil.which("tinyproxy"), reason="tinyproxy is not installed")
def test_a_real_proxy(tmp_path: Path) -> None:
    pem, port = certificate(tmp_path, "localhost"), free_port()

    async def run(password: str) -> tuple[FetchResult, FetchResult]:
        async with publishing({"/x": response(BODY)}) as publisher:
            secure = await asyncio.start_server(publisher.serve, "127.0.0.1", 0, ssl=serving(pem))
            tls_port = secure.sockets[0].getsockname()[1]
            given: dict[str, Any] = {
                "fetch_proxy": f"http://minister:{password}@127.0.0.1:{port}",
                "fetch_allow_hosts": (f"127.0.0.1:{publisher.port}", f"localhost:{tls_port}"),
                "fetch_ca_certs": pem,
            }
            with tinyproxy(tmp_path, port, tls_port):
                async with Fetcher(Settings(fetch_host_delay_s=0.0, **given)) as fetcher:
                    plain = await fetcher.fetch(Request(publisher.url("/x")))
                    return plain, await fetcher.fetch(Request(f"https://localhost:{tls_port}/x"))

    for outcome in asyncio.run(run("geheim")):
        assert isinstance(outcome, Fetched), outcome
    for outcome in asyncio.run(run("falsch")):
        assert failure(outcome).by_proxy
