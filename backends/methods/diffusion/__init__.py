"""Methods that show where the words of a prompt landed."""
