"""Readers of files: text in, rows and findings out; and the import that stores them."""
