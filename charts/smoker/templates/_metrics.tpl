{{/* What tells a Prometheus that goes by annotations which port of a pod to scrape. Takes root, adminPort where it differs. */}}
{{- define "smoker.scrapeAnnotations" -}}
{{- if .root.Values.metrics.scrapeAnnotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ include "smoker.text" (.adminPort | default .root.Values.adminPort) | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{/* Selects every pod that serves the admin port: all but the test pod, which ends. */}}
{{- define "smoker.adminSelector" -}}
matchLabels:
  {{- include "smoker.releaseLabels" . | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [tcp-echo, udp-echo, http-echo, prober, host, hub]}
{{- end -}}

{{/* The values of the monitor that scrapes: the ServiceMonitor's where it is enabled, otherwise the PodMonitor's. */}}
{{- define "smoker.monitor" -}}
{{- with .Values.metrics -}}
{{- toYaml (ternary .serviceMonitor .podMonitor .serviceMonitor.enabled) -}}
{{- end -}}
{{- end -}}

{{/* The pods' labels that become labels of their series: app_kubernetes_io_instance and app_kubernetes_io_component. */}}
{{- define "smoker.podTargetLabels" -}}
[app.kubernetes.io/instance, app.kubernetes.io/component]
{{- end -}}

{{/* How a PodMonitor or a ServiceMonitor scrapes its endpoint. Takes the monitor's values. */}}
{{- define "smoker.monitorEndpoint" -}}
port: admin
path: /metrics
interval: {{ int64 .intervalSeconds }}s
scrapeTimeout: {{ int64 .timeoutSeconds }}s
relabelings:
  - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The matchers of this release's series in PromQL: of all its pods, of its hub, and of its probers. */}}
{{- define "smoker.ofRelease" -}}
namespace="{{ .Release.Namespace }}",app_kubernetes_io_instance="{{ .Release.Name }}"
{{- end -}}

{{- define "smoker.ofHub" -}}
{{ include "smoker.ofRelease" . }},app_kubernetes_io_component="hub"
{{- end -}}

{{- define "smoker.ofProbers" -}}
{{ include "smoker.ofRelease" . }},app_kubernetes_io_component=~"prober|host"
{{- end -}}

{{/*
Seconds within which there are so many rounds, and so many scrapes. A rate needs two scrapes of its window, "most results"
some rounds. Where three timeouts take longer than the interval, a round that fails leaves out the rounds in between.
Takes root, turns.
*/}}
{{- define "smoker.seconds" -}}
{{- $prober := .root.Values.prober -}}
{{- $interval := float64 $prober.intervalSeconds -}}
{{- $failing := mulf 3 $prober.timeoutSeconds -}}
{{- $round := ternary (addf $failing $interval) $interval (gt $failing $interval) -}}
{{- $scrape := float64 (include "smoker.monitor" .root | fromYaml).intervalSeconds -}}
{{- mulf .turns (maxf $round $scrape) | ceil | int64 -}}
{{- end -}}

{{/* The window for outcomes: four rounds. "Most of them" is three. */}}
{{- define "smoker.window" -}}{{ include "smoker.seconds" (dict "root" . "turns" 4) }}{{- end -}}

{{/* The window for shares and medians: twenty rounds, so that one packet or one late round is not yet a finding. */}}
{{- define "smoker.longWindow" -}}{{ include "smoker.seconds" (dict "root" . "turns" 20) }}{{- end -}}

{{/*
How long a path or a target must fail: what the values say, but a window at least. Each node has a moment of its own in the
interval, so that one hears of an outage later than another, and until the last has heard it looks like an outage of some.
Takes root, forSeconds.
*/}}
{{- define "smoker.forAtLeastAWindow" -}}
{{- max (int64 .forSeconds) (include "smoker.window" .root | int64) }}s
{{- end -}}

{{/*
Labels of an alert, beside those of its expression: two releases' alerts must not look the same. Takes root, severity, which is empty
where the expression has that label.
*/}}
{{- define "smoker.alertLabels" -}}
{{- with .severity }}
severity: {{ . }}
{{- end }}
namespace: {{ .root.Release.Namespace | quote }}
app_kubernetes_io_instance: {{ .root.Release.Name | quote }}
{{- end -}}

{{/* Whether there are alerts per path: without a hub, which says it in one, or where a value wants both. Not empty if so. */}}
{{- define "smoker.pathAlerts" -}}
{{- if or .Values.metrics.prometheusRule.pathAlerts (not (include "smoker.hub" .)) }}yes{{ end -}}
{{- end -}}

{{/* Where docs/troubleshooting.md speaks of an alert. Takes root, alert. */}}
{{- define "smoker.runbook" -}}
{{- printf "%s#%s" .root.Values.metrics.prometheusRule.runbookUrl (lower .alert) | quote -}}
{{- end -}}
