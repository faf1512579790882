"""What pyproject.toml cannot say: assets/ stands at the top of the tree and is installed as viz/assets."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["backends*", "viz*"]), "viz.assets"], package_dir={"viz.assets": "assets"})
