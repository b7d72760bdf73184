"""The control unit itself: states, series and triggers in simulated time. Images leave it as runs."""
