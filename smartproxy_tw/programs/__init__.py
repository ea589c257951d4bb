"""
Programs that are run beside the proxy: those of the operator, and our own for what
would block.
"""
