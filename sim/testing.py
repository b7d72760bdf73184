"""Fixtures that need no more than a simulator."""
