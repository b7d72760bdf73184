"""Backups of a run's records: packed, copied to destinations, read back there and compared; and the way back."""
