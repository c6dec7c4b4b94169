"""ll2023: published beside computed."""
