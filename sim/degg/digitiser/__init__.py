"""The mainboard's digitiser: triggers, records of waveforms, charge stamps, scalers."""
