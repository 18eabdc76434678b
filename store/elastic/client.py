"""A client for Elasticsearch from the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from elastic_transport import NodeConfig
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import Elasticsearch
from elasticsearch.serializer import JsonSerializer
from pydantic_core import from_json, to_json

from newswatch.errors import StoreError
from newswatch.settings import Settings
from store.elastic.nodes import (
    LEFT_OUT_S,
    MOST_LEFT_OUT_S,
    REQUEST_TIMEOUT_S,
    RETRIES,
    NamingTransport,
    ProbedNode,
    Spent,
)

Client = Elasticsearch
"""The client type, for modules that only pass it on. Its errors are in `store.elastic.faults`."""


class _Json(JsonSerializer):
    """JSON by pydantic's serializer, which is several times as fast; the client's own handles what that rejects."""

    def json_dumps(self, data: Any) -> bytes:
        try:
            return to_json(data)
        except ValueError:
            return super().json_dumps(data)

    def json_loads(self, data: bytes) -> Any:
        try:
            return from_json(data)
        except ValueError:
            return super().json_loads(data)


class _CompatibleJson(_Json):
    mimetype = "application/vnd.elasticsearch+json"


def connect(settings: Settings) -> Elasticsearch:
    """A client for all addresses in the settings. Nothing is sent yet.

    It retries by itself on time-outs, lost connections and 429/502/503/504, at the next address if there is one.

    Raises:
        StoreError: an address can't be parsed, or a certificate is set for one without TLS.
    """
    nodes = _nodes(settings.elasticsearch_urls)
    options: dict[str, Any] = {}
    if settings.elasticsearch_api_key:
        options["api_key"] = settings.elasticsearch_api_key.get_secret_value()
    elif settings.elasticsearch_username and settings.elasticsearch_password:
        options["basic_auth"] = (settings.elasticsearch_username, settings.elasticsearch_password.get_secret_value())
    if settings.elasticsearch_ca_certs:
        if any(node.scheme != "https" for node in nodes):
            raise StoreError(
                "NEWSWATCH_ELASTICSEARCH_CA_CERTS names a certificate, and NEWSWATCH_ELASTICSEARCH_URL has an address "
                "without TLS: write it with https://, or leave the certificate out."
            )
        options["ca_certs"] = str(settings.elasticsearch_ca_certs)
    return Elasticsearch(
        nodes,
        node_class=ProbedNode,
        transport_class=NamingTransport,
        randomize_nodes_in_pool=False,
        dead_node_backoff_factor=LEFT_OUT_S,
        max_dead_node_backoff=MOST_LEFT_OUT_S,
        request_timeout=REQUEST_TIMEOUT_S,
        max_retries=RETRIES + len(nodes) - 1,
        retry_on_timeout=True,
        retry_on_status=(429, 502, 503, 504),
        serializers={serializer.mimetype: serializer() for serializer in (_Json, _CompatibleJson)},
        **options,
    )


def spent(es: Elasticsearch) -> Spent:
    """What the requests of this client and of those made from it by `options` have taken; nothing for a foreign one."""
    transport = es.transport
    return transport.spent if isinstance(transport, NamingTransport) else Spent()


def where(settings: Settings) -> str:
    """The addresses, joined for a message."""
    return ", ".join(settings.elasticsearch_urls)


def _nodes(urls: Iterable[str]) -> list[NodeConfig]:
    """The addresses as the client's node configurations, in order, each once."""
    nodes: dict[NodeConfig, None] = {}
    for number, url in enumerate(urls, 1):
        try:
            nodes[url_to_node_config(url, use_default_ports_for_scheme=True)] = None
        except ValueError:
            # Both the address and urllib3's error may contain a password.
            raise StoreError(
                f"NEWSWATCH_ELASTICSEARCH_URL: address {number} can't be read; "
                "write each as https://host:9200, with commas between."
            ) from None
    return list(nodes)
