"""Authoring: templates, previews, and what a sender's signature is made of."""
