"""Model: what was found inside a network, how sure that is, and what it takes in memory and time."""

from viz.pages.model.page import ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
