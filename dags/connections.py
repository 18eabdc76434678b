"""The settings inside Airflow, for tasks and the News page: the environment, overridden by Airflow's connections."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from dags.connection_settings import elasticsearch_settings, smtp_settings
from newswatch.settings import Settings
from newswatch.settings_in_part import settings_in_part

ELASTICSEARCH, SMTP = "newswatch_elasticsearch", "newswatch_smtp"


def airflow_settings() -> Settings:
    """The settings that apply inside Airflow. Where a connection does not exist, the environment's settings apply.

    One that is wrong stops only those who need it (`newswatch.settings_in_part`).

    Whoever asks is going to use Elasticsearch, so its client's log is reduced here to failed requests: a line for each
    other one was three quarters of what tasks logged. Airflow's `logging.namespace_levels` reaches structlog's only.
    """
    logging.getLogger("elastic_transport").setLevel(logging.WARNING)
    overrides: dict[str, Any] = {}
    with suppress(AirflowNotFoundException):
        overrides |= elasticsearch_settings(Connection.get(ELASTICSEARCH))
    with suppress(AirflowNotFoundException):
        overrides |= smtp_settings(Connection.get(SMTP))
    return settings_in_part(**overrides)
