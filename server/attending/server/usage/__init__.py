"""Use of models as providers count it, compared with the calls of the log."""
