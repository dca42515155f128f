"""Recipients: what is known of who receives, for how long, and how it is erased."""
