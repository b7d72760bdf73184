"""Simulators of other people's hardware. They run as processes and are reached by address only."""
