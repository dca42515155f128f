"""Disconnecting: restore, revoke and erase, step by step, and the receipt of it."""
