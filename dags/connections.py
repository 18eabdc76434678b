"""The settings inside Airflow, of tasks and of the News page: the variables, with Airflow's connections over them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from jobs.context import Context, open_context
from newswatch.servers import addresses_of_hosts
from newswatch.settings import Settings

ELASTICSEARCH, SMTP = "newswatch_elasticsearch", "newswatch_smtp"


def task_context() -> Context:
    """The context of a task."""
    return open_context(airflow_settings())


def airflow_settings() -> Settings:
    """What holds inside Airflow. A connection that does not exist leaves the environment's settings as they are."""
    found: dict[str, Any] = {}
    with suppress(AirflowNotFoundException):
        found |= elasticsearch_settings(Connection.get(ELASTICSEARCH))
    with suppress(AirflowNotFoundException):
        found |= smtp_settings(Connection.get(SMTP))
    return Settings(**found)


def elasticsearch_settings(connection: Connection) -> dict[str, Any]:
    """What an Airflow connection says about Elasticsearch; `ca_certs` and `api_key` stand in its extra.

    Several nodes stand in the host with commas between, or in the extra as `hosts`; each may have a port of its own.
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
    """What an Airflow connection of type smtp says, with the provider's own extras: `disable_ssl`, `disable_tls`."""
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
