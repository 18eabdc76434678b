"""Kibana, ready to use: data views, saved searches and dashboards, built from `definition.yaml` and loaded once."""
