"""Methods that follow an answer through the layers."""
