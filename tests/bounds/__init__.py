"""
Tests for L{smartproxy_tw.bounds}.
"""
