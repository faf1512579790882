"""Gallery: three networks to play with, three doors, the bundled models, and a box to open any other."""

from viz.pages.gallery.page import ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
