"""The list of feeds: read, checked, changed, exchanged with other readers."""
