"""What the engine carries out, one file a job, and the engine itself."""
