"""
Plug-ins for smartproxy_tw, as examples.
"""
