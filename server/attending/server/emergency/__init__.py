"""Emergency access (45 CFR 164.312(a)(2)(ii)): on record before more is seen, over by itself, reviewed after."""
