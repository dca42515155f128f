"""Worker: the background worker's supervisor, heartbeat, schedules and garbage collection."""
