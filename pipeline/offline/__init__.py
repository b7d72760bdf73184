"""Correction of recorded runs, with the same recipes as online."""
