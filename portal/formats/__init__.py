"""Formats: how dates look in Django's admin."""
