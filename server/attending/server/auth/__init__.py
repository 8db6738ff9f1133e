"""Who calls (`authenticate`), what they may do (`authorize`), and both for the code beneath (`context`)."""
