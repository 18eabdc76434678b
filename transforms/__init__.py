"""What is worked out from an article's own words: clean, language, tags, fingerprint, story. Pure."""
