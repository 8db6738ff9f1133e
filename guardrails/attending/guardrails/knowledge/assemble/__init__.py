"""From the rows of the importers and the authored tables to the tables of a pack. Deterministic, no network."""
