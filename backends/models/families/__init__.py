"""The model families, one file a family."""
