"""Recipients: stores, looks up, exports and erases recipient data."""
