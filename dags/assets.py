"""What one DAG brings and another waits for."""

from airflow.sdk import Asset

ARTICLES = Asset(name="articles", uri="newswatch://articles")
"""Articles are in the index that no saved search has seen yet, or mails are owed."""
