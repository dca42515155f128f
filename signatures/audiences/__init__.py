"""Audiences: conditions over recipients, recipient lists, labels and pseudonyms."""
