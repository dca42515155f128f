"""Accounts: domains, members, invitations, multi-factor authentication and session limits."""
