"""Rules of the system that lead a pod's connections to its sidecar.

It runs on a bare interpreter, once, before anything else in the pod does.
"""
