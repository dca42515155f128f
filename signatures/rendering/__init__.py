"""Makes signature markup: the same template and values give the same bytes.

Nothing in here reads a database, a clock, the network or Django's settings.
"""
