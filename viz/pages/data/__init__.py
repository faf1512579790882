"""Data: a model's answers to a whole table of your own, how often they are right, and one method over all of it."""

from viz.pages.data.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
