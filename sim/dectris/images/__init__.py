"""Images of a control unit: scenes and recordings, corrections, encodings, and the ring that serves a series."""
