"""Benches: the file that describes one, the process that runs one, its clock, its children, its clients."""
