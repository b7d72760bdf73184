"""Filling a catalogue: detectors with generated constants, rows for benchmarks, rows that public tests expect."""
