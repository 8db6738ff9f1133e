"""Whether review is review: reading, pace, second reads, agreement, precision, and what is told of them."""
