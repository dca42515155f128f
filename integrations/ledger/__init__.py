"""The ledger: every call and admin action, chained, counted, checked, exported and pruned."""
