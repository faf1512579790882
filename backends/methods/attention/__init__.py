"""Methods that show what a network attends to."""
