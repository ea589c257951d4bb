"""
Where bytes go: names resolved, targets connected to, connections kept.
"""
