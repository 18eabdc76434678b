"""The settings inside Airflow, for tasks and the News page: the environment, overridden by Airflow's connections."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from dags import statistics
from jobs.context import Context, open_context
from newswatch.servers import addresses_of_hosts
from newswatch.settings import Settings
from newswatch.settings_in_part import settings_in_part

ELASTICSEARCH, SMTP = "newswatch_elasticsearch", "newswatch_smtp"


def task_context() -> Context:
    """The context of a task, whose runs' counts go where Airflow sends its own metrics."""
    return statistics.followed(open_context(airflow_settings(), check_channels=False))


def airflow_settings() -> Settings:
    """The settings inside Airflow: the environment's where there is no connection; a wrong one stops who needs it."""
    # Who asks is going to use Elasticsearch. Its client's log of requests that went well was three quarters of what
    # tasks logged. Airflow's `logging.namespace_levels` reaches structlog's loggers only.
    logging.getLogger("elastic_transport").setLevel(logging.WARNING)
    overrides: dict[str, Any] = {}
    with suppress(AirflowNotFoundException):
        overrides |= elasticsearch_settings(Connection.get(ELASTICSEARCH))
    with suppress(AirflowNotFoundException):
        overrides |= smtp_settings(Connection.get(SMTP))
    return settings_in_part(**overrides)


def elasticsearch_settings(connection: Connection) -> dict[str, Any]:
    """The settings in a connection to Elasticsearch; `ca_certs` and `api_key` are in its extra.

    Several nodes stand in its host, separated by commas, or in its extra as `hosts`; each may have a port of its own.
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
