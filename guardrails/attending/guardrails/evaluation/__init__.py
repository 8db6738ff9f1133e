"""How good the checks are, measured: labelled texts, pairs of drugs, intervals and reports."""
