"""The operator's view: a live page of the laboratory, served by the process that it shows."""

from sim.lab.page.app import page_app
from sim.lab.page.state import State

__all__ = ["State", "page_app"]
