"""Elasticsearch's client without what it does not use here, for processes that are started often.

`elastic_transport` imports every HTTP library that is installed, and newswatch and Airflow bring aiohttp, httpx and
requests. `elasticsearch` imports a second client, for asyncio, as large as the first. Nobody here makes any of these:
together they are half of the client's processor time and 20 MB. What is hidden can be imported by everybody else
afterwards.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any, Never

UNUSED = ("aiohttp", "httpx", "requests")
"""What `elastic_transport` can do without: it uses urllib3."""
ASYNCHRONOUS = "elasticsearch._async.client"
"""The module of the client for asyncio. `elasticsearch` takes one name from it."""


class AsyncElasticsearch:
    """Stands for the client that was left out."""

    def __init__(self, *_: Any, **__: Any) -> Never:
        """Raise an ImportError: whoever needs the client must not have called `load`."""
        raise ImportError("this process was started without Elasticsearch's client for asyncio (store.elastic.lean)")


def load_alone() -> None:
    """`load`, where no other thread of this process could need what it hides."""
    if threading.active_count() == 1:
        load()


def load() -> None:
    """Import Elasticsearch's client without them, unless it is loaded already.

    Call it before anything else imports the client, and before there are threads, which could not import them either.
    """
    if "elasticsearch" in sys.modules:
        return
    hidden = [name for name in UNUSED if name not in sys.modules]
    # https://docs.python.org/3/reference/import.html#the-module-cache: None makes an import fail.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    left_out = ModuleType(ASYNCHRONOUS)
    vars(left_out)["AsyncElasticsearch"] = AsyncElasticsearch
    sys.modules[ASYNCHRONOUS] = left_out
    try:
        import elasticsearch  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
