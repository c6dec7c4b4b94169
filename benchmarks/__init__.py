"""Timings: ours beside named peers, on the same problems, in one run. `python -m benchmarks --help`."""
