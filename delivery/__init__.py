"""Delivers matches to readers: the outbox, scheduling of recipients, composing and sending mails, readers' feedback."""
