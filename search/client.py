"""A client for Elasticsearch from the settings, and the index set-up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch

from newswatch.errors import StoreError
from newswatch.settings import Settings
from search.mapping import article_template, plain_index, plain_indices
from search.names import Names


def connect(settings: Settings) -> Elasticsearch:
    """A client; it retries on time-outs, lost connections and 429/502/503/504 by itself. Nothing is sent yet."""
    options: dict[str, Any] = {}
    if settings.elasticsearch_api_key:
        options["api_key"] = settings.elasticsearch_api_key.get_secret_value()
    elif settings.elasticsearch_username and settings.elasticsearch_password:
        options["basic_auth"] = (settings.elasticsearch_username, settings.elasticsearch_password.get_secret_value())
    if settings.elasticsearch_ca_certs:
        options["ca_certs"] = str(settings.elasticsearch_ca_certs)
    return Elasticsearch(
        settings.elasticsearch_url,
        request_timeout=60,
        max_retries=5,
        retry_on_timeout=True,
        retry_on_status=(429, 502, 503, 504),
        **options,
    )


def set_up(es: Elasticsearch, names: Names, settings: Settings) -> list[str]:
    """Put the template and create the missing indices; safe to call at any time and by several at once.

    Returns the names of what was created.

    Raises:
        StoreError: Elasticsearch refuses a mapping.
    """
    template = article_template(names, settings)
    try:
        es.indices.put_index_template(name=names.articles, **template)
        wanted = {index: plain_index(properties, settings) for index, properties in plain_indices(names).items()}
        # At once, as each waits for a change of the cluster's state to reach the disk.
        with ThreadPoolExecutor(len(wanted)) as pool:
            created = list(pool.map(lambda index: _create(es, index, wanted[index]), wanted))
        return [index for index, new in zip(wanted, created, strict=True) if new]
    except BadRequestError as error:
        raise StoreError(f"Elasticsearch at {settings.elasticsearch_url} refuses the mapping: {error}") from error


def _create(es: Elasticsearch, index: str, body: dict[str, Any]) -> bool:
    if es.indices.exists(index=index):
        return False
    try:
        es.indices.create(index=index, **body)
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        return False
    return True
