"""The channels that carry messages to people, one module each. To add one, write a module with a `Channel` and list it
in `registry.py`."""
