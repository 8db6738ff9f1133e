"""The examination of the log by exception: what there is to look at, what is made of it, and its signature."""
