"""Pages of the portal itself, one file per subject."""
