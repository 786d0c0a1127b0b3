{{/* Does every node have a prober, and are its measurements reliable? */}}
{{- define "smoker.proberRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.longWindow" . -}}
{{- $two := .Values.hostNetwork.enabled -}}
- alert: SmokerProberMissing
  expr: |
    (
      # A prober that Prometheus knows does not answer the scrape.
      (
        min by (node) (max by (node, app_kubernetes_io_component) (up{ {{- include "smoker.ofProbers" . }}})) == 0
      )
      {{- if include "smoker.proberOnEveryNode" . }}
      # A node has no prober, although others have one. The list of nodes comes from kube-state-metrics: without it this finds nothing.
      or (
        max by (node) (kube_node_info{os_image!~"Windows.*"})
          unless on (node)
          {{- if $two }} (
            count by (node) (group by (node, app_kubernetes_io_component) (up{ {{- include "smoker.ofProbers" . }}})) == 2
          )
          {{- else }} up{ {{- include "smoker.ofProbers" . }}}
          {{- end }}
          and on () up{ {{- include "smoker.ofProbers" . }}}
      )
      {{- end }}
    )
    # Other alerts cover a node that is not ready. This, too, needs kube-state-metrics.
    unless on (node) (
      max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == 0
    )
    {{- if include "smoker.hub" . }}
    # SmokerFault covers a node that a finding of the hub names.
    unless on (node) (
      {{- include "smoker.nodesAtFault" . | nindent 6 }}
    )
    {{- end }}
    # Prometheus knows no prober at all: the alert has no node.
    or max by (node) (
      absent(up{ {{- include "smoker.ofProbers" . }}})
    )
  for: {{ int64 $rules.proberMissing.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ if $labels.node }}{{ $labels.node }}`}} {{ $two | ternary "lacks a" "has no" }} {{`prober that answers{{ else }}there is no prober at all{{ end }}`}}
    description: >-
      {{`{{ if $labels.node }}`}}{{ $two | ternary "A prober on {{ $labels.node }} does not answer the scrape, so its paths are not measured" "No prober on {{ $labels.node }} answers the scrape, so that node's network is not measured" }}.
      {{`{{- else }}Prometheus knows no prober of this release, so the network is not measured.{{ end }}`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberMissing") }}
{{- /* The alert has two signs, each with a unit and a rule of its own. The label `sign` tells them apart. */}}
- alert: SmokerProberStarved
  expr: |
    # The share of time for which the kernel throttled the prober.
    max by (node) (rate(smoker_prober_throttled_seconds_total{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
    > {{ include "smoker.text" $rules.proberStarved.throttledRatio }}
  for: {{ int64 $rules.proberStarved.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
    sign: throttled
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} is throttled by its CPU limit {{ $value | humanizePercentage }} of the time`}}
    description: >-
      {{`The kernel throttles the prober on {{ $labels.node }} for {{ $value | humanizePercentage }} of the time. Its durations include that
      time, so they say little about the network; round-trip times and outcomes are still right. Raise or remove its CPU limit.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
- alert: SmokerProberStarved
  expr: |
    # A tenth of the rounds begins later than the limit.
    histogram_quantile(0.9,
      sum by (node, le) (rate(smoker_prober_lateness_seconds_bucket{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
    ) > {{ include "smoker.text" $rules.proberStarved.latenessSeconds }}
  for: {{ int64 $rules.proberStarved.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
    sign: late
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} begins rounds {{ $value | humanizeDuration }} late`}}
    description: >-
      {{`A tenth of the rounds on {{ $labels.node }} begins {{ $value | humanizeDuration }} late or later: the prober lacks CPU. Its
      durations include that time, so they say little about the network; round-trip times and outcomes are still right.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
{{- end -}}

{{/* Whether every Linux node should have a prober, as by default: not empty if so. */}}
{{- define "smoker.proberOnEveryNode" -}}
{{- with .Values.prober -}}
{{- $linux := eq (toJson .nodeSelector) (toJson (dict "kubernetes.io/os" "linux")) -}}
{{- $tolerant := eq (toJson .tolerations) (toJson (list (dict "operator" "Exists"))) -}}
{{- if and $linux $tolerant (not .affinity) }}yes{{ end -}}
{{- end -}}
{{- end -}}
