"""When a feed, or the page of an article, is asked for again, and what an answer means for the feed. Pure."""
