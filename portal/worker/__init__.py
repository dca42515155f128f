"""Worker: the background worker's supervisor, signs of life, schedules and memory."""
