"""The measures of a map, one file a measure."""
