"""
The data path: from an accepted socket to the last byte of an answer.
"""
