"""Reducing in bit planes."""
