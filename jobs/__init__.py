"""The work of the DAG tasks, one function per task. The command line calls the same functions."""
