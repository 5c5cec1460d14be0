{{- define "breakwater-crds.annotations" -}}
helm.sh/resource-policy: keep
{{- end }}

{{- define "breakwater-crds.labels" -}}
app.kubernetes.io/name: breakwater-crds
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: crds
app.kubernetes.io/part-of: breakwater
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
