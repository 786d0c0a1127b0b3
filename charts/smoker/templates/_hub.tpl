{{/* Whether there is a hub: without a mesh the probers have no peers to compare. Not empty if so. */}}
{{- define "smoker.hub" -}}
{{- if and .Values.hub.enabled .Values.mesh.enabled }}yes{{ end -}}
{{- end -}}

{{/* What the hub is told. */}}
{{- define "smoker.hubEnv" -}}
{{- $values := .Values -}}
HTTP_PORT: {{ $values.hub.port }}
LINGER: {{ gt (int64 $values.hub.replicas) 1 | ternary $values.lingerSeconds 0 }}
INTERVAL: {{ $values.hub.intervalSeconds }}
TIMEOUT: {{ $values.hub.timeoutSeconds }}
NAMESPACE: {{ .Release.Namespace | quote }}
CLUSTER_NAME: {{ $values.cluster.name | quote }}
PEER_SERVICE: {{ include "smoker.name" (dict "root" . "component" "prober") | quote }}
PEER_HOST_SERVICE: {{ $values.hostNetwork.enabled | ternary (include "smoker.name" (dict "root" . "component" "host")) "" | quote }}
PEER_ADMIN_PORT: {{ $values.adminPort }}
PEER_HOST_ADMIN_PORT: {{ $values.hostNetwork.adminPort }}
HUB_WEBHOOK_URL: {{ $values.hub.webhook.url | quote }}
HUB_WEBHOOK_SECRET: ""
{{- end -}}
