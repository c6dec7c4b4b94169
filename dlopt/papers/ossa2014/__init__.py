"""ossa2014: published beside computed."""
