"""Imported before any other job by a process that is started often: Elasticsearch's client becomes smaller by it."""

from store.elastic import lean

lean.load_alone()
