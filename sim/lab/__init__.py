"""One simulated laboratory: light, cold and power that instruments and optical modules share."""
