"""The full schedule of an acceptance test of optical modules."""
