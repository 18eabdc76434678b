"""What Airflow knows of the DAGs in a folder, as JSON on the last line of standard output.

Run it in a process of its own, `python -m tools.dag_facts FOLDER`: Airflow reads its configuration as it is imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def facts(dag: Any) -> dict[str, Any]:
    """Name, documentation, schedule, parameters and tasks of one DAG."""
    timetable = dag.timetable
    clock = getattr(timetable, "timetable", timetable)
    condition = timetable.asset_condition
    return {
        "name": dag.dag_id,
        "doc": dag.doc_md,
        "cron": getattr(clock, "expression", None),
        "assets": sorted(asset.name for asset in condition.objects) if condition else [],
        "runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "tells": bool(dag.on_failure_callback),
        "given_up": str(dag.dagrun_timeout or ""),
        "deadlines_s": [alert.interval.total_seconds() for alert in dag.deadline or ()],
        "parameters": [
            (name, json.dumps(dag.params[name]), dag.params.get_param(name).description or "") for name in dag.params
        ],
        "tasks": [_task(task) for task in dag.topological_sort()],
    }


def _task(task: Any) -> dict[str, Any]:
    return {
        "id": task.task_id,
        "mapped": task.is_mapped,
        "then": sorted(task.downstream_task_ids),
        "retries": task.retries,
        "retry_delay": str(task.retry_delay),
        "limit": str(task.execution_timeout or ""),
        "at_once": task.max_active_tis_per_dag,
        "tells": bool(task.on_failure_callback),
        "unrolls": bool(getattr(task, "multiple_outputs", False)),
        "weight": task.priority_weight,
        "announces": sorted(outlet.name for outlet in task.outlets),
    }


def main() -> None:
    """Read the DAGs of the folder that is named; exit code 1 if one of them can't be imported."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=sys.argv[1])
    if bag.import_errors:
        sys.exit("\n".join(f"{file}: {error}" for file, error in bag.import_errors.items()))
    print(json.dumps([facts(dag) for _, dag in sorted(bag.dags.items())]))


if __name__ == "__main__":
    main()
