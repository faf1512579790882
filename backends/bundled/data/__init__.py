"""Seeded makers of inputs together with the ground truth behind them. All data is synthetic."""
