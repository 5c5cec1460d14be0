{{- define "breakwater.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "breakwater.controlplane" -}}
{{ include "breakwater.fullname" . }}-controlplane
{{- end }}

{{/* What tells the pods of a component: (dict "context" $ "component" "etcd"). */}}
{{- define "breakwater.selector" -}}
app.kubernetes.io/name: breakwater
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "breakwater.labels" -}}
{{ include "breakwater.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: breakwater
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- with .context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An image: (dict "image" .Values.images.etcd "context" $). */}}
{{- define "breakwater.image" -}}
{{- $version := .image.tag | default .context.Chart.AppVersion -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}{{ else }}{{ .image.repository }}:{{ $version }}{{ end }}
{{- end }}

{{/* A container that passes Pod Security `restricted`. */}}
{{- define "breakwater.unprivileged" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "breakwater.store" -}}
{{- $etcd := .Values.etcd -}}
{{- if $etcd.bundled.enabled -}}
etcd://{{ include "breakwater.fullname" . }}-etcd.{{ .Release.Namespace }}.svc:2379
{{- else if $etcd.endpoints -}}
etcd://{{ join "," $etcd.endpoints }}
{{- else -}}
sqlite:/var/lib/breakwater/registry.db
{{- end }}
{{- end }}

{{- define "breakwater.etcdSecret" -}}
{{- if .Values.etcd.bundled.enabled }}{{ include "breakwater.fullname" . }}-etcd{{ else }}{{ .Values.etcd.tls.secretName }}{{ end }}
{{- end }}

{{- define "breakwater.adminSecret" -}}
{{ .Values.controlplane.adminToken.existingSecret | default (printf "%s-admin" (include "breakwater.fullname" .)) }}
{{- end }}

{{/* What is ours by a fixed name, of which each revision has its own: (dict "context" $ "name" "breakwater-ca"). */}}
{{- define "breakwater.own" -}}
{{ .name }}{{ with .context.Values.injector.revision }}-{{ . }}{{ end }}
{{- end }}

{{/* What the control plane is called inside the cluster, the whole name first. */}}
{{- define "breakwater.names" -}}
{{- $name := printf "%s.%s" (include "breakwater.controlplane" .) .Release.Namespace -}}
{{ $name }}.svc,{{ $name }}.svc.cluster.local,{{ $name }}
{{- end }}

{{/* The webhook configurations of this release. */}}
{{- define "breakwater.webhooks" -}}
{{ include "breakwater.fullname" . }}-injector,{{ include "breakwater.fullname" . }}-validator
{{- end }}

{{/* Stops a release that could not work, with what to change. */}}
{{- define "breakwater.check" -}}
{{- $etcd := .Values.etcd -}}
{{- $many := or .Values.controlplane.autoscaling.enabled (gt (int .Values.controlplane.replicas) 1) -}}
{{- if and $etcd.bundled.enabled $etcd.endpoints -}}
{{- fail "etcd.endpoints and etcd.bundled.enabled exclude each other" -}}
{{- end -}}
{{- if and $many (not $etcd.bundled.enabled) (not $etcd.endpoints) -}}
{{- fail "several replicas need an etcd that they share: set etcd.endpoints" -}}
{{- end -}}
{{- if and $etcd.endpoints (not $etcd.tls.secretName) (not .Values.controlplane.insecure) -}}
{{- fail "etcd.endpoints without etcd.tls.secretName is plain text: set it, or controlplane.insecure" -}}
{{- end -}}
{{- end }}

{{/* Stops a release that asks for kinds of the Prometheus operator where there are none. */}}
{{- define "breakwater.needsOperator" -}}
{{- if not (or .Values.monitoring.force (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
{{- fail "the cluster has no kinds of the Prometheus operator; install it, or set monitoring.force" -}}
{{- end -}}
{{- end }}
