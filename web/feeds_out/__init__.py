"""Searches, saved searches and stories as Atom and JSON Feed, by a secret address for each reader."""
