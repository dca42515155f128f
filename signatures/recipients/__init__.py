"""Recipients: keeps, looks up, exports and erases what is known of recipients."""
