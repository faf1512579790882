"""How much memory and time a run takes, foretold before it begins."""
