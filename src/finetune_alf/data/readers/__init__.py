"""Readers of table files, one module a format; table.py picks by extension. None turns a text into a missing value."""
