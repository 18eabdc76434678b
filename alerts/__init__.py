"""Saved searches: matching batches, spikes and silences, explanations, backtests."""
