"""Tasks of the acceptance test of optical modules."""
