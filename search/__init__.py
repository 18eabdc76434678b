"""Elasticsearch: the mapping, what is written, what is asked. The only package that speaks to it, besides `alerts`."""
