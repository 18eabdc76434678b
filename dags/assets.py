"""What one DAG brings and another waits for."""

from airflow.sdk import Asset, AssetAlias

ARTICLES = Asset(name="articles", uri="newswatch://articles")
"""Articles are in the index that no saved search has seen yet, or mails are owed."""
BROUGHT = AssetAlias("brought")
"""What a pull brought: `ARTICLES` or nothing. An alias, as an asset is announced by every run of its task."""
