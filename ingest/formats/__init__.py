"""The formats that feeds come in: one module each, listed in `registry.FORMATS`.

To add one, write a module with a `Format` (`format.py` says what it holds) and list it. What is asked for (`Accept`),
what a page advertises, where feeds are looked for and how a document is recognised and read all derive from that list.
"""
