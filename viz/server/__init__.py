"""Everything that answers HTTP besides Dash: maps, tiles, downloads, and the headers of every answer."""
