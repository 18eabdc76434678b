"""TLS to the mail server and to the mailbox of bounces."""

from __future__ import annotations

import ssl

from newswatch.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the system's authorities and `smtp_ca_certs`, and shows `smtp_client_cert`.

    Raises:
        OSError: a file can't be read or used; the message names its variable.
    """
    context = ssl.create_default_context()
    if settings.smtp_ca_certs:
        with _named("NEWSWATCH_SMTP_CA_CERTS"):
            context.load_verify_locations(settings.smtp_ca_certs)
    if settings.smtp_client_cert:
        with _named("NEWSWATCH_SMTP_CLIENT_CERT"):
            # An encrypted key must not make OpenSSL ask at a terminal.
            context.load_cert_chain(settings.smtp_client_cert, password=lambda: "")
    return context


class _named:  # noqa: N801 - used like a function
    """Puts a variable before what OpenSSL says of its file."""

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | ValueError):
            raise OSError(f"{self._variable}: its file can't be used ({error.__class__.__name__}: {error})") from error
