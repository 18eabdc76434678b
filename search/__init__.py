"""The query language: what a query means, what it may cost, how it is run, and the stories it finds."""
