"""One room that shows a result: figures and report."""
