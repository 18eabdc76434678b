"""What the stack tells Airflow of the servers is what the tasks understand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from embedded.airflow import elasticsearch_connection, environment, smtp_connection
from newswatch.settings import Settings

pytestmark = pytest.mark.slow  # imports Airflow


@pytest.mark.parametrize(
    ("stated", "understood"),
    [
        ({"elasticsearch_url": "http://127.0.0.1:9209"}, {"elasticsearch_url": "http://127.0.0.1:9209"}),
        ({"elasticsearch_url": "https://es.example"}, {"elasticsearch_url": "https://es.example:443"}),
        (
            {"elasticsearch_url": "https://a%40b:p%3A@es.example:9243"},
            {
                "elasticsearch_url": "https://es.example:9243",
                "elasticsearch_username": "a@b",
                "elasticsearch_password": "p:",
            },
        ),
        (
            {
                "elasticsearch_url": "https://es.example:9243",
                "elasticsearch_api_key": SecretStr("k"),
                "elasticsearch_ca_certs": Path("/ca.pem"),
            },
            {
                "elasticsearch_url": "https://es.example:9243",
                "elasticsearch_api_key": "k",
                "elasticsearch_ca_certs": "/ca.pem",
            },
        ),
    ],
)
def test_elasticsearch(stated: dict[str, Any], understood: dict[str, Any]) -> None:
    from airflow.sdk import Connection

    from dags.connection_settings import elasticsearch_settings

    said = json.dumps(elasticsearch_connection(Settings(**stated)))
    assert elasticsearch_settings(Connection.from_json(said, "x")) == understood


@pytest.mark.parametrize(
    ("stated", "urls"),
    [
        ({"host": "es1"}, "http://es1:9200"),
        ({"host": "es1,es2:9201"}, "http://es1:9200,http://es2:9201"),
        ({"host": "es1, es2", "schema": "https", "port": 443}, "https://es1:443,https://es2:443"),
        ({"host": "es1", "extra": {"hosts": ["es2", "es3:9203"]}}, "http://es1:9200,http://es2:9200,http://es3:9203"),
        ({"extra": {"hosts": "es2,https://es3:9203"}}, "http://es2:9200,https://es3:9203"),
        ({"host": "::1,[::1]:9201"}, "http://[::1]:9200,http://[::1]:9201"),
        ({"host": "es1,"}, "http://es1:9200"),
        ({"login": "u"}, None),
    ],
)
def test_several_nodes_in_one_connection(stated: dict[str, object], urls: str | None) -> None:
    from airflow.sdk import Connection

    from dags.connection_settings import elasticsearch_settings

    connection = Connection.from_json(json.dumps({"conn_type": "elasticsearch", **stated}), "x")
    assert elasticsearch_settings(connection).get("elasticsearch_url") == urls


def test_several_nodes_in_a_connection_written_as_an_address() -> None:
    from airflow.sdk import Connection

    from dags.connection_settings import elasticsearch_settings

    connection = Connection.from_uri("elasticsearch://u:p@es1,es2:9201/https", "x")
    found = Settings(**elasticsearch_settings(connection))
    assert found.elasticsearch_urls == ("https://es1:9201", "https://es2:9201")


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_smtp(security: str) -> None:
    from airflow.sdk import Connection

    from dags.connection_settings import smtp_settings

    stated: dict[str, Any] = {
        "smtp_host": "smtp.example",
        "smtp_port": 587,
        "smtp_security": security,
        "smtp_username": "u",
        "smtp_password": "p",
        "mail_from": "watch@example",
    }
    said = json.dumps(smtp_connection(Settings(**stated)))
    assert smtp_settings(Connection.from_json(said, "x")) == stated


def test_an_address_that_no_connection_can_say_is_left_to_the_settings(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, elasticsearch_url="https://proxy.example/es")
    variables = environment(settings, port=8080, log_dir=tmp_path)
    assert "AIRFLOW_CONN_NEWSWATCH_ELASTICSEARCH" not in variables
    assert variables["NEWSWATCH_ELASTICSEARCH_URL"] == "https://proxy.example/es"
