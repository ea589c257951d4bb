"""
Tests for L{smartproxy_tw.commands}.
"""
