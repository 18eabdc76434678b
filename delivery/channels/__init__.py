"""The channels that send messages to people, one module each. To add a channel, write a module with a `Channel` and
list it in `registry.py`. The outbox claims, retries and records by recipient and knows of a channel only what
`channel.Channel` says."""
