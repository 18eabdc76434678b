"""What one DAG brings and another waits for.

The aliases stand for an asset or nothing: an asset itself is announced by every run of its task.
"""

from airflow.sdk import Asset, AssetAlias

ARTICLES = Asset(name="articles", uri="newswatch://articles")
"""Articles are in the index that no saved search has seen yet."""
BROUGHT = AssetAlias("brought")
"""What a pull brought: `ARTICLES` or nothing."""
MAILS = Asset(name="mails", uri="newswatch://mails")
"""Mails are due."""
OWED = AssetAlias("owed")
"""What matching owes: `MAILS` or nothing."""
