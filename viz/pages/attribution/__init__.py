"""Attribution: up to four answers, side by side, to what drove the model's answer."""

from viz.pages.attribution.page import NEEDS, ORDER, PATH, QUESTION, TITLE, layout, register

__all__ = ["NEEDS", "ORDER", "PATH", "QUESTION", "TITLE", "layout", "register"]
