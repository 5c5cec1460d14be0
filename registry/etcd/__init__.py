"""The store on an etcd cluster, and our own client for it."""
