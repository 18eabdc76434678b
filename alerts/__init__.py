"""Saved searches: what a batch matches and why, what there is to tell, what they would have matched."""
