"""Causal: parts of the network are changed, and what the answer does then says which of them cause it."""

from viz.pages.causal.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
