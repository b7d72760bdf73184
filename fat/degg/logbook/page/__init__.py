"""The logbook in a browser: forms to fill in, and the book to read. Without scripts."""
