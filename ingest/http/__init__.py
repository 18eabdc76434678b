"""Requests to publishers: who may be asked, how often and by which way, and what comes back."""
