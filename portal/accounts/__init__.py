"""Accounts: domains, members, invitations, the second step and session limits."""
