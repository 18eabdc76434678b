"""The work of one batch: its feeds are asked, read, and what is new is written."""
