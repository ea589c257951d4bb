"""
From facts to a decision: which route takes a connection or a request.

Pure: it imports no Twisted and opens nothing.  L{patterns} says what a pattern
matches, L{rule} in which order routes are asked, L{table} compiles both into
something fast, and L{explain} tells a person what came of it.
"""
