"""The templates that typst sets."""
