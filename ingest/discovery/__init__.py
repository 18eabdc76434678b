"""Finds and tries feeds for those who edit the list; stores nothing."""
