"""The settings that an Airflow connection states. Pure."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection

from newswatch.servers import addresses_of_hosts


def elasticsearch_settings(connection: Connection) -> dict[str, Any]:
    """The settings in an Airflow connection to Elasticsearch; `ca_certs` and `api_key` are in its extra.

    Several nodes are given in the host, separated by commas, or in the extra as `hosts`; each may have its own port.
    """
    extra = connection.extra_dejson
    hosts = (connection.host, extra.get("hosts"))
    urls = addresses_of_hosts(hosts, scheme=connection.schema or "http", port=connection.port or 9200)
    stated = {
        "elasticsearch_url": ",".join(urls),
        "elasticsearch_username": connection.login,
        "elasticsearch_password": connection.password,
        "elasticsearch_ca_certs": extra.get("ca_certs"),
        "elasticsearch_api_key": extra.get("api_key"),
    }
    return {name: value for name, value in stated.items() if value}


def smtp_settings(connection: Connection) -> dict[str, Any]:
    """The settings in an Airflow connection of type smtp, with its extras `disable_ssl` and `disable_tls`."""
    extra = connection.extra_dejson
    security = "none" if extra.get("disable_tls") else "starttls"
    stated = {
        "smtp_host": connection.host,
        "smtp_port": connection.port,
        "smtp_username": connection.login,
        "smtp_password": connection.password,
        "smtp_security": security if extra.get("disable_ssl") else "tls",
        "mail_from": extra.get("from_email"),
    }
    return {name: value for name, value in stated.items() if value}
