"""One reader per public source: a source folder in, typed rows out; no reader knows another or the pack."""
