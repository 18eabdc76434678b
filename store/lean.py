"""Elasticsearch's client without the HTTP libraries that it does not use here, for commands that must be small.

`elastic_transport` imports every HTTP library that is installed, and newswatch and Airflow bring aiohttp and httpx:
half a second of processor time and 16 MB, for clients that newswatch never makes. What is hidden from it can be
imported by everybody else afterwards.
"""

from __future__ import annotations

import sys

UNUSED = ("aiohttp", "httpx")
"""What `elastic_transport` can do without: it uses urllib3."""


def load() -> None:
    """Import Elasticsearch's client without them, unless they are loaded already.

    Call it before anything else imports the client, and before there are threads, which could not import them either.
    """
    hidden = [name for name in UNUSED if name not in sys.modules]
    # https://docs.python.org/3/reference/import.html#the-module-cache: None makes an import fail.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import elasticsearch  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
