"""Acceptance runs: start one, go on with one, show one."""
