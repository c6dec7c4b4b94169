"""Pictures of results; matplotlib is an optional dependency (`pip install 'dlopt[plot]'`)."""
