"""Methods that change something inside a network and measure what follows."""
