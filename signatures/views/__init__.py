"""The pages of the work, one module for each kind of place."""
