"""Content-addressed prompt versions and the labels that point at them."""
