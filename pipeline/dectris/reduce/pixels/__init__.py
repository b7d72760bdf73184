"""Reducing pixel by pixel."""
