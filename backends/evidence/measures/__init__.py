"""The measures of a map, one file a measure: see `backends.evidence.measure` for what a file hands on as ENTRY."""
