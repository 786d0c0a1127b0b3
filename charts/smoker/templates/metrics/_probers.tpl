{{/* Does every node have a prober with the newest plan, and are its measurements reliable? */}}
{{- define "smoker.proberRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.longWindow" . -}}
{{- $two := .Values.hostNetwork.enabled -}}
{{- if $rules.proberMissing.enabled }}
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
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.proberMissing) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ if $labels.node }}{{ $labels.node }}`}} {{ $two | ternary "lacks a" "has no" }} {{`prober that answers{{ else }}there is no prober at all{{ end }}`}}
    description: >-
      {{`{{ if $labels.node }}`}}{{ $two | ternary "A prober on {{ $labels.node }} does not answer the scrape, so its paths are not measured" "No prober on {{ $labels.node }} answers the scrape, so that node's network is not measured" }}.
      {{`{{- else }}Prometheus knows no prober of this release, so the network is not measured.{{ end }}`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerProberMissing") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if $rules.proberStarved.enabled }}
{{- /* The alert has two signs, each with a unit and a rule of its own. The label `sign` tells them apart. */}}
- alert: SmokerProberStarved
  expr: |
    # The share of time for which the kernel throttled the prober.
    max by (node) (rate(smoker_prober_throttled_seconds_total{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
    > {{ include "smoker.text" $rules.proberStarved.throttledRatio }}
  for: {{ int64 $rules.proberStarved.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.proberStarved "sign" "throttled") | nindent 4 }}
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} is throttled by its CPU limit {{ $value | humanizePercentage }} of the time`}}
    description: >-
      {{`The kernel throttles the prober on {{ $labels.node }} for {{ $value | humanizePercentage }} of the time. Its durations include that
      time, so they say little about the network; round-trip times and outcomes are still right. Raise or remove its CPU limit.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
    {{- . | nindent 4 }}
    {{- end }}
- alert: SmokerProberStarved
  expr: |
    # A tenth of the rounds begins later than the limit.
    histogram_quantile(0.9,
      sum by (node, le) (rate(smoker_prober_lateness_seconds_bucket{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
    ) > {{ include "smoker.text" $rules.proberStarved.latenessSeconds }}
  for: {{ int64 $rules.proberStarved.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.proberStarved "sign" "late") | nindent 4 }}
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} begins rounds {{ $value | humanizeDuration }} late`}}
    description: >-
      {{`A tenth of the rounds on {{ $labels.node }} begins {{ $value | humanizeDuration }} late or later: the prober lacks CPU. Its
      durations include that time, so they say little about the network; round-trip times and outcomes are still right.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerProberStarved") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if $rules.planRefused.enabled }}
- alert: SmokerPlanRefused
  expr: |
    # One alert, because a plan with a mistake is one for every prober: on how many nodes a prober has refused the newest one.
    count(
      min by (node) (smoker_config_last_reload_successful{ {{- include "smoker.ofProbers" . }}}) == 0
    )
  for: {{ int64 $rules.planRefused.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.planRefused) | nindent 4 }}
  annotations:
    summary: >-
      {{`the newest plan is refused on {{ $value }} nodes`}}
    description: >-
      {{`The probers on {{ $value }} nodes refuse the newest plan and go on with the one before. A prober that restarts has no plan and
      does not start. The log of a prober names each mistake.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerPlanRefused") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Does each prober know its peers, and do the echoes stay up? */}}
{{- define "smoker.meshRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- if and .Values.mesh.enabled $rules.discoveryStale.enabled }}
- alert: SmokerDiscoveryStale
  expr: |
    # Seconds for which a prober has had no news of its peers from the API server.
    max by (node) (smoker_prober_discovery_stale_seconds{ {{- include "smoker.ofProbers" . }}}) > 0
  for: {{ int64 $rules.discoveryStale.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.discoveryStale) | nindent 4 }}
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} has had no news of its peers for {{ $value | humanizeDuration }}`}}
    description: >-
      {{`The API server has told the prober on {{ $labels.node }} nothing about its peers for {{ $value | humanizeDuration }}. It goes on
      probing the peers that it knew, and misses new ones.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerDiscoveryStale") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if and .Values.mesh.enabled $rules.tooFewPeers.enabled }}
- alert: SmokerTooFewPeers
  expr: |
    # The peers that a prober knows, where another prober of the release knows far more.
    max by (node) (smoker_prober_peers{ {{- include "smoker.ofProbers" . }},state="known"})
    < on () group_left () (
      {{ include "smoker.text" $rules.tooFewPeers.ratio }} * max(smoker_prober_peers{ {{- include "smoker.ofProbers" . }},state="known"})
    )
  for: {{ int64 $rules.tooFewPeers.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.tooFewPeers) | nindent 4 }}
  annotations:
    summary: >-
      {{`the prober on {{ $labels.node }} knows {{ $value }} peers, and others know more`}}
    description: >-
      {{`The prober on {{ $labels.node }} knows {{ $value }} other nodes that have a prober, and other probers know more. It does not probe
      the nodes that it does not know.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerTooFewPeers") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if $rules.echoRestarting.enabled }}
- alert: SmokerEchoRestarting
  expr: |
    # How often the container of an echo service has started again.
    sum by (app_kubernetes_io_component, node, pod) (
      changes(process_start_time_seconds{ {{- include "smoker.ofRelease" . }},app_kubernetes_io_component=~".+-echo"}[{{ int64 $rules.echoRestarting.windowSeconds }}s])
    ) >= {{ int64 $rules.echoRestarting.restarts }}
  for: {{ int64 $rules.echoRestarting.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.echoRestarting) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.app_kubernetes_io_component }} on {{ $labels.node }} has restarted {{ $value }} times`}}
    description: >-
      {{`The container of {{ $labels.pod }} on {{ $labels.node }} has started again {{ $value }} times`}} in {{ int64 $rules.echoRestarting.windowSeconds }} s. Each
      time all nodes fail to reach it for some seconds, and that is no fault of the network.
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerEchoRestarting") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Whether every Linux node should have a prober, as by default: not empty if so. */}}
{{- define "smoker.proberOnEveryNode" -}}
{{- with .Values.prober -}}
{{- $linux := eq (toJson .nodeSelector) (toJson (dict "kubernetes.io/os" "linux")) -}}
{{- $tolerant := eq (toJson .tolerations) (toJson (list (dict "operator" "Exists"))) -}}
{{- if and $linux $tolerant (not .affinity) }}yes{{ end -}}
{{- end -}}
{{- end -}}
