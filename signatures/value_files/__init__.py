"""Value files: senders' values from a spreadsheet and to one, with a preview of every row, and undo."""
