"""A real etcd: one member, or a cluster of three, on loopback or inside network namespaces.

Elections are quick and nothing waits for the disk unless a test asks for it: killed processes lose nothing by
that, only a crash of the machine would.
"""

from tests.support.etcd.cluster import Cluster, one_member, three_members
from tests.support.etcd.member import Member
from tests.support.etcd.options import Options, Place, Tls
from tests.support.etcd.tools import EtcdError, tool

__all__ = ["Cluster", "EtcdError", "Member", "Options", "Place", "Tls", "one_member", "three_members", "tool"]
