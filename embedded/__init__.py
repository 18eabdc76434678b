"""The real parts on your own machine, without Docker: Elasticsearch, Airflow, a mail catcher, a newsroom."""
