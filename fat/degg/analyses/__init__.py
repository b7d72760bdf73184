"""Analyses of optical modules: pure functions of arrays."""
