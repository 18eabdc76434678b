"""The `newswatch` command. Runs the same jobs as the DAGs; heavy imports stay inside the commands."""
