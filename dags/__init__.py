"""Airflow's view of the pipeline: which job runs when. Wiring only; the work is in `jobs`."""
