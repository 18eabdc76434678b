"""The formats of feeds: one module each, listed in `registry.FORMATS`.

To add a format, write a module with a `Format` (described in `format.py`) and list it. From that list derive the
`Accept` header, the advertised feeds that are recognised, the usual addresses, and how documents are recognised and
read.
"""
