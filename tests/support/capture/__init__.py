"""Pods as network namespaces, with the real rules, programs and sockets in them."""
