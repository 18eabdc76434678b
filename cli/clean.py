"""`newswatch clean`: keeps Airflow's database and the logs small."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.output import AsJson, emit_json, err, out, stated
from newswatch.errors import StackError, StoreError


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(clean)


def clean(
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the logs.", show_default="those of `newswatch up`")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Delete old logs, and once a night old rows of Airflow's database; `newswatch up` runs it hourly.

    The database is the one in AIRFLOW__DATABASE__SQL_ALCHEMY_CONN; without that, only logs are deleted.
    """
    from jobs.clean import DATABASE, clean_here
    from jobs.clean import clean as recorded
    from jobs.context import open_context
    from newswatch.clock import utc_now

    settings = stated()
    folder = logs or settings.data_dir / "logs"
    if not folder.is_dir():
        raise StackError(f"There is no folder {folder}; say where the logs are with --logs.")
    try:
        context = open_context(settings)
    except StoreError as error:
        err.print(f"[yellow]This run can't be recorded:[/] {error}", highlight=False)
        report = clean_here(settings, folder, utc_now())
    else:
        report = recorded(context, folder)
    if as_json:
        emit_json(report)
        return
    out.print(
        f"[bold]{report.logs_deleted}[/] logs deleted ({report.bytes_deleted / 1e6:.1f} MB), "
        f"{report.logs_emptied} emptied."
    )
    if report.database:
        shrunk = (
            f"; its file has {report.database_bytes_freed / 1e6:.1f} MB less" if report.database_bytes_freed else ""
        )
        out.print(f"Rows older than {settings.airflow_retention_days} days deleted from Airflow's database{shrunk}.")
    elif DATABASE not in os.environ:
        out.print(f"Airflow's database was left alone, as {DATABASE} is not set.")
