"""DSSC: one image of 9 bits for each pulse, no gain stages."""
