"""Tables: their columns, classes, files and releases."""
