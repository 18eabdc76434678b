"""What a DAG task runs, one function per task. The command line calls the same functions."""
