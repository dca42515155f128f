"""The web server: its command line, and what stands between it and Django."""
