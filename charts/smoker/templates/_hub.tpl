{{/* Whether the hub is installed: not empty if so. Without a mesh it has no paths between nodes to compare. */}}
{{- define "smoker.hub" -}}
{{- if and .Values.hub.enabled .Values.mesh.enabled }}yes{{ end -}}
{{- end -}}

{{/* Name of the Lease whose holder sends notifications. One replica needs it, too: a rollout has two hubs for some seconds. Empty where
there is one replica and nothing to send to. */}}
{{- define "smoker.hubLease" -}}
{{- $sends := or .Values.hub.notify (include "smoker.hubOtlpEnv" .) -}}
{{- range .Values.hub.extraEnv -}}
{{- if regexMatch "^OTEL_EXPORTER_OTLP_((LOGS|METRICS)_)?ENDPOINT$" .name }}{{ $sends = true }}{{ end -}}
{{- end -}}
{{- if and (include "smoker.hub" .) (or $sends (gt (int64 .Values.hub.replicas) 1)) -}}
{{ include "smoker.name" (dict "root" . "component" "hub") }}
{{- end -}}
{{- end -}}

{{/* The hub's environment. */}}
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
WATCH_NODES: {{ $values.hub.watchNodes }}
LEASE_NAME: {{ include "smoker.hubLease" . | quote }}
AUTH_FOLDER: {{ $values.hub.auth.existingSecret | empty | ternary "" "/etc/smoker/auth" | quote }}
PROMETHEUS_URL: {{ $values.hub.prometheus.url | quote }}
HISTORY_FOLDER: {{ $values.hub.history.enabled | ternary "/data" "" | quote }}
HISTORY_DAYS: {{ $values.hub.history.retentionDays }}
HISTORY_MIB: {{ $values.hub.history.maxSizeMiB }}
EXTERNAL_URL: {{ include "smoker.hubUrl" . | quote }}
NOTIFY: {{ with (include "smoker.hubNotify" . | fromJson).receivers }}{{ toJson . | quote }}{{ else }}""{{ end }}
{{- end -}}

{{/* The URL under which users reach the page: the value, or else the first host of the Ingress. */}}
{{- define "smoker.hubUrl" -}}
{{- $ingress := .Values.hub.ingress -}}
{{- if .Values.hub.externalUrl -}}
{{ .Values.hub.externalUrl }}
{{- else if and $ingress.enabled $ingress.hosts -}}
{{ $ingress.tls | empty | ternary "http" "https" }}://{{ first $ingress.hosts }}
{{- end -}}
{{- end -}}

{{/* What the schema cannot check of the Ingress. */}}
{{- define "smoker.hubIngressChecks" -}}
{{- $hub := .Values.hub -}}
{{- if and (include "smoker.hub" .) $hub.ingress.enabled -}}
{{- if not $hub.ingress.hosts -}}
{{- fail "hub.ingress.hosts: needs at least one host name with hub.ingress.enabled" -}}
{{- end -}}
{{- if not (or $hub.auth.existingSecret $hub.ingress.withoutLogin) -}}
{{- fail "hub.ingress.enabled: needs hub.auth.existingSecret, or hub.ingress.withoutLogin if the ingress controller asks for a login itself or everybody may see the page" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* OpenTelemetry's standard variables for the export of logs and metrics; empty without an endpoint. */}}
{{- define "smoker.hubOtlpEnv" -}}
{{- with .Values.hub.otlp -}}
{{- if or .endpoint .logsEndpoint .metricsEndpoint -}}
{{- range $variable, $url := dict "ENDPOINT" .endpoint "LOGS_ENDPOINT" .logsEndpoint "METRICS_ENDPOINT" .metricsEndpoint -}}
{{- with $url -}}
OTEL_EXPORTER_OTLP_{{ $variable }}: {{ . | quote }}
{{ end -}}
{{- end -}}
OTEL_EXPORTER_OTLP_COMPRESSION: {{ .compression | quote }}
OTEL_EXPORTER_OTLP_TIMEOUT: {{ mul 1000 (int64 .timeoutSeconds) }}
OTEL_METRIC_EXPORT_INTERVAL: {{ mul 1000 (int64 .metricsIntervalSeconds) }}
{{- if .caConfigMap }}
OTEL_EXPORTER_OTLP_CERTIFICATE: /etc/smoker/otlp/ca.crt
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The receivers in the form that the hub reads, and the sources of the volume with their secrets. Values from a Secret or a ConfigMap are
mounted as files, so that a change there needs no restart.
*/}}
{{- define "smoker.hubNotify" -}}
{{- $files := dict "urlFromSecret" "url" "signingKeyFromSecret" "signingKey" "authorizationFromSecret" "authorization" -}}
{{- $files = merge $files (dict "caFromSecret" "ca" "caFromConfigMap" "ca") -}}
{{- $receivers := list -}}
{{- $sources := list -}}
{{- range $index, $receiver := .Values.hub.notify -}}
{{- $entry := dict -}}
{{- range $option, $value := $receiver -}}
{{- $file := get $files $option -}}
{{- if $file -}}
{{- $path := printf "%d/%s" $index $file -}}
{{- $_ := set $entry (printf "%sFile" $file) (printf "/etc/smoker/notify/%s" $path) -}}
{{- $source := dict "name" $value.name "items" (list (dict "key" $value.key "path" $path)) -}}
{{- $sources = append $sources (dict (hasSuffix "ConfigMap" $option | ternary "configMap" "secret") $source) -}}
{{- else -}}
{{- $_ := set $entry $option $value -}}
{{- end -}}
{{- end -}}
{{- $receivers = append $receivers $entry -}}
{{- end -}}
{{- dict "receivers" $receivers "sources" $sources | toJson -}}
{{- end -}}

{{/* Checks that compare two options of a receiver, which the schema cannot. */}}
{{- define "smoker.hubNotifyChecks" -}}
{{- range $index, $receiver := .Values.hub.notify -}}
{{- $key := printf "hub.notify[%d]" $index -}}
{{- if eq (hasKey $receiver "url") (hasKey $receiver "urlFromSecret") -}}
{{- fail (printf "%s: needs url or urlFromSecret, and not both" $key) -}}
{{- end -}}
{{- if and (hasKey $receiver "caFromSecret") (hasKey $receiver "caFromConfigMap") -}}
{{- fail (printf "%s: takes caFromSecret or caFromConfigMap, not both" $key) -}}
{{- end -}}
{{- range $option, $type := dict "signingKeyFromSecret" "webhook" "labels" "alertmanager" -}}
{{- if and (hasKey $receiver $option) (ne $receiver.type $type) -}}
{{- fail (printf "%s.%s: only a receiver of the type %s takes it" $key $option $type) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Ports of the receivers of notifications, of Prometheus and of OTLP. The chart cannot read a URL in a Secret, so it allows the usual
ports for it: 443, 80, or Alertmanager's 9093. */}}
{{- define "smoker.hubAsksPorts" -}}
{{- $ports := list -}}
{{- range .Values.hub.notify -}}
{{- if .url -}}
{{- range include "smoker.urlPorts" (list .url) | fromYamlArray }}{{ $ports = append $ports (int64 .) }}{{ end -}}
{{- else -}}
{{- $ports = concat $ports (list 443 80) -}}
{{- if eq .type "alertmanager" }}{{ $ports = append $ports 9093 }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range compact (list .Values.hub.prometheus.url .Values.hub.otlp.endpoint .Values.hub.otlp.logsEndpoint .Values.hub.otlp.metricsEndpoint) -}}
{{- range include "smoker.urlPorts" (list .) | fromYamlArray }}{{ $ports = append $ports (int64 .) }}{{ end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* The volume of the history: a claim, or an emptyDir. SQLite's write-ahead log needs space in addition to the file. */}}
{{- define "smoker.hubHistory" -}}
{{- $history := .Values.hub.history -}}
name: data
{{- if $history.persistence.enabled }}
persistentVolumeClaim: {claimName: {{ $history.persistence.existingClaim | default (include "smoker.name" (dict "root" . "component" "hub")) }}}
{{- else }}
emptyDir: {sizeLimit: {{ printf "%dMi" (add 64 (int64 $history.maxSizeMiB)) }}}
{{- end }}
{{- end -}}
