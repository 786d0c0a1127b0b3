{{/* Annotations that tell Prometheus which port of a pod to scrape. Takes root, and adminPort if it differs. */}}
{{- define "smoker.scrapeAnnotations" -}}
{{- if .root.Values.metrics.scrapeAnnotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ include "smoker.text" (.adminPort | default .root.Values.adminPort) | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{/* Selects every pod that serves the admin port: all except the test pod, which runs only for a moment. */}}
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

{{/*
How a PodMonitor or a ServiceMonitor scrapes its endpoint. The cluster's name becomes a label of every series, as of other targets in a
Prometheus of several clusters. Takes root, monitor (its values).
*/}}
{{- define "smoker.monitorEndpoint" -}}
port: admin
path: /metrics
interval: {{ int64 .monitor.intervalSeconds }}s
scrapeTimeout: {{ int64 .monitor.timeoutSeconds }}s
relabelings:
  - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}
  {{- with .root.Values.cluster.name }}
  - {action: replace, targetLabel: cluster, replacement: {{ . | replace "$" "$$" | quote }}}
  {{- end }}
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* PromQL matchers of this release's series: of all pods, of the hub, and of the probers. */}}
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
Seconds that contain the number of rounds given, and the same number of scrapes. A rate needs two scrapes in its window; a majority
of results needs some rounds. If three timeouts take longer than the interval, a round that fails skips the rounds in between.
Takes root, turns (the number of rounds).
*/}}
{{- define "smoker.seconds" -}}
{{- $prober := .root.Values.prober -}}
{{- $interval := float64 $prober.intervalSeconds -}}
{{- $failing := mulf 3 $prober.timeoutSeconds -}}
{{- $round := ternary (addf $failing $interval) $interval (gt $failing $interval) -}}
{{- $scrape := float64 (include "smoker.monitor" .root | fromYaml).intervalSeconds -}}
{{- mulf .turns (maxf $round $scrape) | ceil | int64 -}}
{{- end -}}

{{/* The window for outcomes: four rounds. A majority is three. */}}
{{- define "smoker.window" -}}{{ include "smoker.seconds" (dict "root" . "turns" 4) }}{{- end -}}

{{/* The window for shares and medians: twenty rounds, so that one lost packet or one late round causes no alert. */}}
{{- define "smoker.longWindow" -}}{{ include "smoker.seconds" (dict "root" . "turns" 20) }}{{- end -}}

{{/*
How long a path or a target must fail: the value, but at least one window. Nodes probe at different moments of the interval, so some
see an outage later than others. Until the last node has seen it, the outage looks like one of some nodes only.
Takes root, forSeconds.
*/}}
{{- define "smoker.forAtLeastAWindow" -}}
{{- max (int64 .forSeconds) (include "smoker.window" .root | int64) }}s
{{- end -}}

{{/*
Labels of an alert, in addition to those of its expression. They tell the alerts of two releases apart. Takes root, rule (the alert's
values), and sign, if the alert has several rules. Without a severity, the expression has that label.
*/}}
{{- define "smoker.alertLabels" -}}
{{- $own := include "smoker.recordLabels" .root | fromYaml -}}
{{- with .rule.severity }}{{ $_ := set $own "severity" . }}{{ end -}}
{{- with .sign }}{{ $_ := set $own "sign" . }}{{ end -}}
{{- toYaml (merge $own .rule.labels) -}}
{{- end -}}

{{/* Labels of a recorded series: those by which a rule knows its own release. */}}
{{- define "smoker.recordLabels" -}}
namespace: {{ .Release.Namespace | quote }}
app_kubernetes_io_instance: {{ .Release.Name | quote }}
{{- with .Values.cluster.name }}
cluster: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* How long loss must last: the value, but longer than an outage that is over stays in the window. */}}
{{- define "smoker.forMoreThanALongWindow" -}}
{{- $seconds := int64 .Values.metrics.prometheusRule.packetLoss.forSeconds -}}
{{- max $seconds (add (include "smoker.longWindow" . | int64) (include "smoker.window" . | int64)) }}s
{{- end -}}

{{/* Whether there are alerts per path: not empty if so. They exist without a hub, which has one alert per fault, or if pathAlerts is set. */}}
{{- define "smoker.pathAlerts" -}}
{{- if or .Values.metrics.prometheusRule.pathAlerts (not (include "smoker.hub" .)) }}yes{{ end -}}
{{- end -}}

{{/* The annotation that links to an alert's section in docs/troubleshooting.md, if that is served. Takes root, alert. */}}
{{- define "smoker.runbook" -}}
{{- with .root.Values.metrics.prometheusRule.runbookUrl -}}
runbook_url: {{ printf "%s#%s" . (lower $.alert) | quote }}
{{- end -}}
{{- end -}}
