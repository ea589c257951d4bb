"""
What a route does, each in one file, each by the public interface.
"""
