"""The acceptance test of optical modules (D-Egg)."""
