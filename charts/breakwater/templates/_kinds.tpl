{{/* Generated from the contract in proto/mesh/v1 by `make chart`. */}}
{{- define "breakwater.kinds" -}}
backpressurepolicies, externalservices, faultpolicies, meshes, ratelimitpolicies, resiliencepolicies, sidecarprofiles
{{- end }}
{{- define "breakwater.kindStatuses" -}}
backpressurepolicies/status, externalservices/status, faultpolicies/status, meshes/status, ratelimitpolicies/status, resiliencepolicies/status, sidecarprofiles/status
{{- end }}
