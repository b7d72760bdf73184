"""The acceptance test of optical modules (D-Egg): station, measurements, analyses, records."""
