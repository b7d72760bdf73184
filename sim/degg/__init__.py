"""D-Egg optical modules: two photomultipliers, a mainboard with its console, the wire pairs that lead to it."""
