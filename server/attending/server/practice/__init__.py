"""Texts that people read for practice: openly for newcomers, and planted among real ones. Nothing of it is released."""
