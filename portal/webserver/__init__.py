"""Web server: its command line, and the adapter between it and Django."""
