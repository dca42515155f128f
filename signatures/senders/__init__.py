"""Senders: people who send, their groups, field values, assigned templates and mailbox status."""
