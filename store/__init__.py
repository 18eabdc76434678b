"""Elasticsearch: its mapping, how it is written and read, and one module per kind of document."""
