"""What an acceptance test holds in its hands: clients of the detector's control, the pipeline, the clock."""
