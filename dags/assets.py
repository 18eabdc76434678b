"""The assets by which one DAG wakes another.

A task with an asset as outlet announces it in every run. An alias lets the task decide: it adds the asset or nothing.
"""

from airflow.sdk import Asset, AssetAlias

ARTICLES = Asset(name="articles", uri="newswatch://articles")
"""The index holds articles that have not been matched yet."""
BROUGHT = AssetAlias("brought")
"""Outlet of pulls: carries `ARTICLES` if the pull indexed something, else nothing."""
MAILS = Asset(name="mails", uri="newswatch://mails")
"""Mails are due."""
OWED = AssetAlias("owed")
"""Outlet of matching: carries `MAILS` if it enqueued mails, else nothing."""
