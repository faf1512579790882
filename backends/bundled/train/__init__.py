"""One training script a model: `python -m backends.bundled.train.<model>`."""
