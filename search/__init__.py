"""The query language: what a query means, what it may cost, how it is asked, and stories as people read them."""
