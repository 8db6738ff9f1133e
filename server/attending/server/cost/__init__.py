"""What a call cost: tokens as the provider reported them, prices from a published table, unknown said as unknown."""
