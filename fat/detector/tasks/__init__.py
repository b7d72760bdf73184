"""What the acceptance test of detectors does: one function for each task."""
