"""Events from outside: which ones there are (`types`), what they may hold (`schema`), how they are appended."""
