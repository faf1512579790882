"""Evidence: every method tested on one input, the parts that matter, a table, and a network that knows nothing."""

from viz.pages.evidence.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
