"""What another version of a policy or of the drug knowledge would have decided over what is on record."""
