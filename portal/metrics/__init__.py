"""Metrics: what an operator's Prometheus reads of the whole installation, from rows that all processes share."""
