"""Reports of a run of optical modules: one of the run, one of each module; HTML, PDF and JSON."""
