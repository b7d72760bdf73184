"""The calibration database's remotes: ZeroMQ access points to the catalogue and its store (docs/caldb-remotes.md)."""
