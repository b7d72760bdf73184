"""Packed images to bytes."""
