"""Status: what an operator needs to know of the whole installation, for the page, the command and metrics."""
