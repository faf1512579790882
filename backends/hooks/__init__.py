"""Looking inside one network: what is recorded, changed and run again, and what its own attention hands on."""
