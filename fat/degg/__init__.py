"""The final acceptance test of optical modules (D-Eggs)."""
