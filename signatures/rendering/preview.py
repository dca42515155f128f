"""What a signature looks like and where each value comes from, by the renderer that sends."""
