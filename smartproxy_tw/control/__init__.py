"""
How those who decide reach the data path.
"""
