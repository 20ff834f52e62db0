"""Benchmarks: the usual design and this one, side by side, as ratios of one run."""
