"""De-identified documents (45 CFR 164.514(b)(2)): records and texts of a bundle without the 18 identifiers."""
