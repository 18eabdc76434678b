"""How long the certificates are valid of the servers in the settings, and in the files that the settings name."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from newswatch import durations
from newswatch.clock import Clock, utc_now
from newswatch.settings import Settings, variable_of
from observe.condition import Condition, Severity
from observe.probes.probe import Probe, Report

WARNING: Final = timedelta(days=30)
"""Before the end; of a short-lived certificate a quarter of its life, after which it should have been renewed."""
CRITICAL: Final = timedelta(days=3)
_SHARE, _LAST_SHARE = 4, 20
EVERY_S: Final = 300.0
CONNECT_S: Final = 5.0
HTTPS_PORT: Final = 443


def certificates(settings: Settings, *, clock: Clock = utc_now) -> tuple[Probe, ...]:
    """A probe for each server that is reached by https; the mail server's certificate is seen by its own probe."""
    urls = [*settings.elasticsearch_urls, settings.public_url, settings.airflow_url or ""]
    servers = dict.fromkeys(
        (split.hostname, split.port or HTTPS_PORT) for split in map(urlsplit, urls) if _is_tls(split.scheme)
    )
    return tuple(_probe(host, port, clock) for host, port in servers if host)


def _is_tls(scheme: str) -> bool:
    return scheme == "https"


def _probe(host: str, port: int, clock: Clock) -> Probe:
    def run() -> Report:
        try:
            begin, until = validity(host, port)
        except (OSError, ValueError) as error:
            # Whether the server can be reached is other probes' matter.
            note = f"certificate of {host}:{port}: can't be read ({getattr(error, 'strerror', None) or error})"
            return Report(blind=True, note=note)
        found = expiry(host, until, clock(), f"connections to {host}", begin=begin)
        return Report(found, certificates={f"{host}:{port}": until})

    return Probe(f"certificate {host}:{port}", run, every_s=EVERY_S)


def files(settings: Settings, *, clock: Clock = utc_now) -> tuple[Probe, ...]:
    """A probe for each file with certificates: authorities that we trust, and the one that we show."""
    names = ("elasticsearch_ca_certs", "fetch_ca_certs", "smtp_ca_certs", "smtp_client_cert")
    stated = ((variable_of(name), getattr(settings, name)) for name in names)
    return tuple(_file_probe(variable, path, clock) for variable, path in stated if path is not None)


def _file_probe(variable: str, path: Path, clock: Clock) -> Probe:
    def run() -> Report:
        try:
            held = in_file(path)
        except (OSError, ValueError) as error:
            note = f"certificates of {variable}: they can't be read ({getattr(error, 'strerror', None) or error})"
            return Report(blind=True, note=note)
        # Of several authorities one is in use, and nobody knows which: the one that ends last.
        begin, until = max(held, key=lambda one: one[1])
        found = expiry(str(path), until, clock(), f"connections that go by {variable}", begin=begin)
        return Report(found, certificates={str(path): until})

    return Probe(f"certificates {variable}", run, every_s=EVERY_S)


def in_file(path: Path) -> list[tuple[datetime, datetime]]:
    """From when until when the certificates in a PEM file are valid; at least one.

    Raises:
        OSError: it can't be read.
        ValueError: it holds none.
    """
    from cryptography.x509 import load_pem_x509_certificates

    return [
        (one.not_valid_before_utc, one.not_valid_after_utc) for one in load_pem_x509_certificates(path.read_bytes())
    ]


def validity(host: str, port: int) -> tuple[datetime, datetime]:
    """From when until when the server's certificate is valid, whoever signed it: whether it is trusted is for those
    who connect.

    Raises:
        OSError: there is no connection, or no TLS.
        ValueError: the certificate can't be read.
    """
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=CONNECT_S) as raw,
        context.wrap_socket(raw, server_hostname=host) as encrypted,
    ):
        shown = encrypted.getpeercert(binary_form=True)
    certificate = load_der_x509_certificate(shown or b"")
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def expiry(
    host: str, until: datetime | None, now: datetime, what: str, *, begin: datetime | None = None
) -> tuple[Condition, ...]:
    """The condition of a certificate that expires soon or has expired; none if it is valid for long. Pure.

    `begin` is when it became valid, if that is known.
    """
    if until is None:
        return ()
    life = until - begin if begin else timedelta.max
    if until - now > min(WARNING, life / _SHARE):
        return ()
    severity = Severity.CRITICAL if until - now <= min(CRITICAL, life / _LAST_SHARE) else Severity.WARNING
    moment = f"{until:%Y-%m-%d %H:%M} UTC"
    if until <= now:
        sentence = f"The certificate of {host} has expired at {moment}: {what} fail."
    else:
        left = durations.long((until - now).total_seconds())
        sentence = f"The certificate of {host} expires in {left}, at {moment}; then {what} fail."
    return (Condition(f"certificate:{host}", severity, sentence, "Renew the certificate, and let the server read it."),)
