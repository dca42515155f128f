"""Delivery: plans, runs and restores that write signatures into mailboxes."""
