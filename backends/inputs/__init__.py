"""What a person gives: images, tables and data sets, read and checked."""
