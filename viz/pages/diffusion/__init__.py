"""Diffusion: a prompt becomes a picture, and each of its words can be laid over the place where it landed."""

from viz.pages.diffusion.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
