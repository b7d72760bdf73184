"""Random numbers for the kernels of modules."""
