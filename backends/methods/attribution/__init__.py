"""Methods that say how much each part of the input speaks for the answer."""
