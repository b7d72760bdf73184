"""Reports of acceptance runs: figures and one self-contained page."""
