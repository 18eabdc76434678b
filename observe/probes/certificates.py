"""How long the certificates of the servers in the settings are valid."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from newswatch import durations
from newswatch.clock import Clock, utc_now
from newswatch.settings import Settings
from observe.condition import Condition, Severity
from observe.probes.probe import Probe, Report

WARNING: Final = timedelta(days=14)
CRITICAL: Final = timedelta(days=3)
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
            until = expires_at(host, port)
        except (OSError, ValueError) as error:
            # Whether the server can be reached is other probes' matter.
            note = f"certificate of {host}:{port}: can't be read ({getattr(error, 'strerror', None) or error})"
            return Report(blind=True, note=note)
        return Report(expiry(host, until, clock(), f"connections to {host}"), certificates={f"{host}:{port}": until})

    return Probe(f"certificate {host}:{port}", run, every_s=EVERY_S)


def expires_at(host: str, port: int) -> datetime:
    """When the server's certificate expires, whoever signed it: whether it is trusted is for those who connect.

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
    return load_der_x509_certificate(shown or b"").not_valid_after_utc


def expiry(host: str, until: datetime | None, now: datetime, what: str) -> tuple[Condition, ...]:
    """The condition of a certificate that expires soon or has expired; none if it is valid for long. Pure."""
    if until is None or until - now > WARNING:
        return ()
    severity = Severity.CRITICAL if until - now <= CRITICAL else Severity.WARNING
    moment = f"{until:%Y-%m-%d %H:%M} UTC"
    if until <= now:
        sentence = f"The certificate of {host} has expired at {moment}: {what} fail."
    else:
        left = durations.long((until - now).total_seconds())
        sentence = f"The certificate of {host} expires in {left}, at {moment}; then {what} fail."
    return (Condition(f"certificate:{host}", severity, sentence, "Renew the certificate, and let the server read it."),)
