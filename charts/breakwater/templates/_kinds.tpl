{{/* Generated from the contract in proto/mesh/v1 by `make chart`. */}}
{{- define "breakwater.kinds" -}}
externalservices, meshes, ratelimitpolicies, resiliencepolicies, sidecarprofiles
{{- end }}
{{- define "breakwater.kindStatuses" -}}
externalservices/status, meshes/status, ratelimitpolicies/status, resiliencepolicies/status, sidecarprofiles/status
{{- end }}
