"""Derives an article's language, tags, fingerprint and story from its own words. Pure."""
