"""Admission: calls that are kept back while many fail."""

from dataclasses import dataclass

from sidecar._core import Admission, AdmitRate, OverloadDamper
from sidecar.machines.units import SECOND_NS

__all__ = ["Admission", "AdmissionParams", "AdmitRate", "OverloadDamper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionParams:
    """Settings of admission control."""

    success_rate: float = 95
    window_ns: int = 30 * SECOND_NS
    max_reject: float = 80
