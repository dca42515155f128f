"""Mail clients: what each shows of a signature, as far as published data tells.

Nothing here was seen in a client: `support.json` says what others tested, the rules beside it what its footnotes mean
for markup that our sanitizer lets through.
"""
