"""What users' own tests get: the pytest plugin and its fixtures."""
