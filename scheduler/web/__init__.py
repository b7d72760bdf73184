"""The live page of acceptance runs. It reads journals, so it shows a run also when its engine is dead."""

from scheduler.web.app import make_app

__all__ = ["make_app"]
