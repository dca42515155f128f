"""Worker: the background worker's supervisor, liveness, schedules and garbage collection."""
