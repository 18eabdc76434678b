"""How Elasticsearch is reached, written and read: accounted for, in turns, by its own clock."""
