"""
The configuration that C{smartproxy init} writes for people to start with.

Every option that is commented out has no space behind its C{#}; without these
signs the whole is a configuration still, which a test holds it to.
"""

from __future__ import annotations

__all__ = ["TEMPLATE"]

TEMPLATE = """\
# A configuration of smartproxy, to start with.
#
#   smartproxy check smartproxy.yaml                    what is wrong, or what it does
#   twistd -n smartproxy --config smartproxy.yaml       run it
#   smartproxy explain --config smartproxy.yaml URL     which route takes a URL, and why
#
# To try out an option take away the # in front of it. Any option that does not
# exist is an error, so nothing is ever ignored.

# Names that are served by HTTPS, each with a certificate that is asked for as soon
# as the ports are bound; plain HTTP is redirected. The name has to lead to this
# machine, and the ports 80 and 443 have to be reachable.
sites:
  example.com: 127.0.0.1:3000
  #shop.example.com:
    #to: [127.0.0.1:3001, 127.0.0.1:3002]     # they take turns
    #www: redirect                            # www.shop.example.com leads here, too
  #intranet.localhost:
    #to: unix:/run/intranet.sock
    #certificate: internal                    # by a local authority, not by ACME

# Where the certificates come from. Without this: Let's Encrypt, no e-mail address.
#acme:
  #email: ops@example.com
  #directory: letsencrypt-staging             # to try things out without using up limits

# Accounts, certificates and the local authority. Without this: /var/lib/smartproxy
# for root, else ~/.local/state/smartproxy.
#state_dir: ./state

# One line for each request: combined, json, logfmt or off.
#access_log: {format: combined, file: stdout}

# Everything that sites cannot say. A route says what it takes (match) and what
# becomes of it (action: forward, redirect, respond, files, socket or block).
#routes:
  #- name: health
    #match: {ports: 8080, path: /healthz}
    #action: {type: respond, status: 200, body: ok}

  #- name: api
    #match: {ports: 443, domains: [api.example.com, "*.api.example.com"], path: /v1/*}
    #action:
      #type: forward
      #targets: [127.0.0.1:4000, 127.0.0.1:4001]
      #load_balancing: least-connections
      #health: {active: {path: /healthz}}
      #tls: {mode: terminate, certificate: internal}

    #security: {rate_limit: {requests: 20, window: 1}, ip_block_list: [192.0.2.0/24]}
    #headers: {response: {remove: server}}
    #compress: true

  #- name: static
    #match: {ports: 443, domains: static.example.com}
    #action: {type: files, root: /srv, tls: {mode: terminate, certificate: internal}}

  #- name: mail                               # the server's own certificate is used
    #match: {ports: [465, 993], domains: mail.example.com}
    #action: {type: forward, targets: "10.0.0.7:preserve", tls: {mode: passthrough}}

  #- name: database
    #match: {ports: 5432}
    #action: {type: forward, targets: 10.0.0.8:5432}
"""
