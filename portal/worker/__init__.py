"""The background worker: its supervisor, signs of life, schedules and memory."""
