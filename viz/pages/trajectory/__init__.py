"""Trajectory: how the answer forms through the layers, as words, as curves and as a path."""

from viz.pages.trajectory.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
