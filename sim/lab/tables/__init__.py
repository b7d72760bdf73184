"""What a bench file may say about the parts of a laboratory. Light to import: whoever reads a bench file does."""
