"""Pages of signatures, one file per subject."""
