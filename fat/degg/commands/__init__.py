"""The commands of the acceptance test of optical modules, below `stellwerk fat`."""
