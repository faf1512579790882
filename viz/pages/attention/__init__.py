"""Attention: which token looks at which, in every head at a glance and in one head up close."""

from viz.pages.attention.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
