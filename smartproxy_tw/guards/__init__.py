"""
Who may use a route, and how much: each guard in one file, and those who run them in their
order.  A route that asks for none has none in its way.
"""
