"""Retention: what is removed when its time is over, table by table, and what portal itself removes."""
