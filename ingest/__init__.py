"""Feeds to articles: fetch, parse, read the page, extract, assemble; and when a feed is polled again."""
