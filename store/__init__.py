"""One module per kind of document; `indices` for what the indices are, `elastic` for how they are written and read."""
