"""The acceptance test of optical modules."""
