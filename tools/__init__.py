"""Chores of the repository: generated reference pages and the documentation site. Not part of what is installed."""
