"""
Automatic certificates, ours beside those of Caddy and Traefik, from one Pebble:
each scenario is a module that says what it does and what ours has to hold.
"""
