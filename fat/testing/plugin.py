"""The pytest plugin `stellwerk`."""
