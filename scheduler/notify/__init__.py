"""Telling people how a run goes. Trouble with the messenger never stops a run."""
