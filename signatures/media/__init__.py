"""Media: images of a domain for its signatures, at public addresses that never change."""
