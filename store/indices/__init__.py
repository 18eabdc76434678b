"""The indices themselves: their mappings and analysis, how they are set up, their replicas and snapshots."""
