"""Causal: parts of the network are changed, and what the answer does then says which of them cause it."""

from viz.pages.causal.page import ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
