"""Personal content on its way out: why (`purpose`), through which call (`content`), and on record (`access`)."""
