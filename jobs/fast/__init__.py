"""The fast lane: some feeds are asked every few seconds, hubs push, and what is new goes at once to the readers."""
