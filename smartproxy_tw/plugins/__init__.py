"""
What others add: finds their plug-ins, and keeps the proxy from whatever they do.
"""
