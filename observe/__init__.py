"""What runs, what waits and what is broken: the pulse, the conditions that follow from it, and who is told of them."""
