"""What newswatch adds to Airflow's own web server."""

from __future__ import annotations

from functools import cache

from airflow.plugins_manager import AirflowPlugin

from alerts.links import PATH
from jobs.context import Context, open_context
from web.links import create_app


@cache
def _context() -> Context:
    """Opened at the first request, not when Airflow starts: Elasticsearch may come up later."""
    return open_context()


class NewswatchPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not followed by mypy
    """Answers the signed links of the mails."""

    name = "newswatch"
    fastapi_apps = [{"app": create_app(_context), "url_prefix": PATH, "name": "newswatch mail links"}]  # noqa: RUF012
