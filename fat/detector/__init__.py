"""The acceptance test of detectors: XTDF modules (AGIPD, LPD, DSSC) and DECTRIS control units."""
