"""
Tests for L{smartproxy_tw.guards}.
"""
