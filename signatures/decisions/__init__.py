"""Decisions: decides and explains which banner one known recipient gets."""
