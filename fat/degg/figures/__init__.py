"""Figures of the acceptance test of optical modules. They import matplotlib: import them late."""
