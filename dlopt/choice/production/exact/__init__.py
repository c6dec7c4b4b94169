"""Exact solutions of small and of frozen production networks."""
