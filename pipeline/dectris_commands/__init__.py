"""The commands for DECTRIS control units."""
