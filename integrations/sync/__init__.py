"""The sync: runs that read the directory into the mirror, and what they could not take over."""
