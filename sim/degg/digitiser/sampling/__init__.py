"""From what waits to the samples that the converter reads."""
