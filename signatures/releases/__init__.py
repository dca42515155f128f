"""Releases: what is published for a domain, what a draft changes, and how one becomes live."""
