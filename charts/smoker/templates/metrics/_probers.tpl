{{/* Is there a prober on every node, and can it be believed? */}}
{{- define "smoker.proberRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.longWindow" . -}}
{{- $two := .Values.hostNetwork.enabled -}}
- alert: SmokerProberMissing
  expr: |
    (
      # A prober is known and does not answer the scrape.
      (
        min by (node) (max by (node, app_kubernetes_io_component) (up{ {{- include "smoker.ofProbers" . }}})) == 0
      )
      {{- if include "smoker.proberOnEveryNode" . }}
      # A node has none, although others have. Only kube-state-metrics knows the nodes: without it this finds nothing.
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
    # A node that is not ready is news of another alert; that, too, kube-state-metrics alone knows.
    unless on (node) (
      max by (node) (kube_node_status_condition{condition="Ready",status="true"}) == 0
    )
    {{- if include "smoker.hub" . }}
    # What the hub has found at that node is SmokerFault.
    unless on (node) (
      {{- include "smoker.nodesAtFault" . | nindent 6 }}
    )
    {{- end }}
    # No prober is known at all: an alert without a node.
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
      {{`{{ if $labels.node }}`}}{{ $two | ternary "A prober on {{ $labels.node }} does not answer the scrape: nobody sees now what it would see" "No prober on {{ $labels.node }} answers the scrape: nobody sees that node's network now" }}.
      {{`{{- else }}Prometheus knows no prober of this release: nobody sees the network now.{{ end }}`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberMissing") }}
{{- /* Two signs of one ill, in units of their own: so two rules, told apart by a label. */}}
- alert: SmokerProberStarved
  expr: |
    # The share of time for which the kernel held the prober back.
    max by (node) (rate(smoker_prober_throttled_seconds_total{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
    > {{ include "smoker.text" $rules.proberStarved.throttledRatio }}
  for: {{ int64 $rules.proberStarved.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
    sign: throttled
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} is held back by its CPU limit {{ $value | humanizePercentage }} of the time`}}
    description: >-
      {{`The kernel holds the prober on {{ $labels.node }} back for {{ $value | humanizePercentage }} of the time. Its durations by the
      clock are its own and not the network's; round-trip times and outcomes still hold. Raise or remove its CPU limit.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
- alert: SmokerProberStarved
  expr: |
    # One of ten rounds begins so many seconds late.
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
      {{`One of ten rounds on {{ $labels.node }} begins {{ $value | humanizeDuration }} late or more. The prober lacks CPU: its
      durations by the clock are its own and not the network's; round-trip times and outcomes still hold.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
{{- end -}}

{{/* Whether every Linux node is meant to have a prober: nothing says otherwise. Not empty if so. */}}
{{- define "smoker.proberOnEveryNode" -}}
{{- with .Values.prober -}}
{{- $linux := eq (toJson .nodeSelector) (toJson (dict "kubernetes.io/os" "linux")) -}}
{{- $tolerant := eq (toJson .tolerations) (toJson (list (dict "operator" "Exists"))) -}}
{{- if and $linux $tolerant (not .affinity) }}yes{{ end -}}
{{- end -}}
{{- end -}}
