"""
Bytes to facts: pure, strict, incremental.
"""
