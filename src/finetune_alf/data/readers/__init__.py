"""Readers of table files, one module for each format; `table` selects by extension. No text becomes a missing value."""
