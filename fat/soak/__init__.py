"""`stellwerk soak`: a bench under random faults for a stated time, and a verdict with reasons."""
