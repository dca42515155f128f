"""The connection: its life, state, permissions, health, tokens, sessions and call budget."""
