"""Forms of the portal's own pages, one file per subject."""
