"""Self-service: senders who see their own signature and edit what their domain unlocks for them."""
