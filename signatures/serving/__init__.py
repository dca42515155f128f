"""Serving: banner images and clicks without login, from the memory of a web process."""
