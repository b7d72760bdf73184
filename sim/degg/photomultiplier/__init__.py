"""Photomultipliers: what is true of each, their high voltage, their charges and times, their dark counts."""
