"""The read API: what newswatch has, as JSON, for programs that show a key."""
