"""The door's pages; each file answers one question."""
