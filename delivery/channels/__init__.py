"""The channels that send messages to people, one module each. To add a channel, write a module with a `Channel` and
list it in `registry.py`."""
