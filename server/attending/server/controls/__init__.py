"""The control matrix: what regulators ask, as data, and what the entries of a log say to each."""
