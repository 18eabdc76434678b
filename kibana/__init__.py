"""Data views, saved searches and dashboards for Kibana, built from `definition.yaml` and loaded once."""
