"""Verification of a sealed report, a PDF with its evidence attached: see `attending.ledger.verify.pdf.verify`."""
