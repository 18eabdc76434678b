"""What the watchman looks at: one module per part, each with a function that returns the part's probe."""
