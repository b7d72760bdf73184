"""Acceptance plans: which tasks, in which order, with which limits."""
