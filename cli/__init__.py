"""The `newswatch` command. It runs the same jobs as the DAGs. Heavy imports are inside the commands."""
