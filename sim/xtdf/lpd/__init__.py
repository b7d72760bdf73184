"""LPD: one image for each pulse, 12 bits of signal and two of the gain stage; or three images, one for each stage."""
