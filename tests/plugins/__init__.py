"""
Tests of the room of plug-ins.
"""
