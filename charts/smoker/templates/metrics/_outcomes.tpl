{{/*
Does a target answer? Three alerts share one question, and at any moment one of them at most is the answer for a probe and a
target:

  some nodes fail, others do not              SmokerProbeFailing
  all nodes fail                              SmokerTargetFailing
  all nodes fail, and no pod is there to ask  SmokerTargetGone

`local_error` is the prober's own fault: it counts neither as a failure nor as a result.
*/}}
{{- define "smoker.outcomeRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $own := not .Values.prober.serverHost -}}
- alert: SmokerProbeFailing
  expr: |
    # The paths that mostly fail …
    (
      {{- include "smoker.failingPaths" . | nindent 6 }}
    )
    # … except where all nodes fail: there it is the target.
    unless on (probe, target) (
      {{- include "smoker.failingTargets" . | nindent 6 }}
    )
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.probeFailing.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} does not reach {{ $labels.target }} ({{ $labels.probe }}), other nodes do`}}
    description: >-
      {{`{{ $value | humanizePercentage }} of the {{ $labels.probe }} probes from {{ $labels.node }} to {{ $labels.target }} fail.
      Others succeed, so it is that node or the way from it.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProbeFailing") }}
- alert: SmokerTargetFailing
  expr: |
    # The targets that all nodes fail to reach …
    (
      {{- include "smoker.failingTargets" . | nindent 6 }}
    )
    {{- if $own }}
    # … while a pod is there: without one it is SmokerTargetGone.
    and on (probe) (
      {{- include "smoker.answeringEchoes" . | nindent 6 }}
    )
    {{- end }}
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.targetFailing.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "critical") | nindent 4 }}
  annotations:
    summary: >-
      {{`no node reaches {{ $labels.target }} ({{ $labels.probe }})`}}
    description: >-
      {{`Most {{ $labels.probe }} probes to {{ $labels.target }} fail, on every node that asks ({{ $value }}).
      It is the target, its name, its Service or a policy rather than a node.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerTargetFailing") }}
{{- if $own }}
- alert: SmokerTargetGone
  expr: |
    # The targets that all nodes fail to reach …
    (
      {{- include "smoker.failingTargets" . | nindent 6 }}
    )
    # … and of whose echo service no pod answers the scrape.
    unless on (probe) (
      {{- include "smoker.answeringEchoes" . | nindent 6 }}
    )
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.targetGone.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "critical") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.target }} is gone: no pod of {{ $labels.probe }}-echo is up`}}
    description: >-
      {{`No pod of {{ $labels.probe }}-echo answers the scrape, and the {{ $labels.probe }} probes to {{ $labels.target }} fail on
      every node that asks ({{ $value }}). It is the pod, not the network.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerTargetGone") }}
{{- end }}
{{- end -}}

{{/* Results a second of each path that say something about the network. */}}
{{- define "smoker.results" -}}
sum by (node, probe, target) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" . }},outcome!="local_error"}[{{ include "smoker.window" . }}s]))
{{- end -}}

{{/* Paths most of whose results are failures, with the share that is. */}}
{{- define "smoker.failingPaths" -}}
sum by (node, probe, target) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" . }},outcome!~"success|local_error"}[{{ include "smoker.window" . }}s]))
  / {{ include "smoker.results" . }}
  > 0.5
{{- end -}}

{{/* Targets to which every node that has results mostly fails, with the number of these nodes. */}}
{{- define "smoker.failingTargets" -}}
count by (probe, target) (
  {{- include "smoker.failingPaths" . | nindent 2 }}
)
== count by (probe, target) (
  {{ include "smoker.results" . }} > 0
)
{{- end -}}

{{/* The probes whose echo service has a pod that answers the scrape: `tcp` where one of tcp-echo does. */}}
{{- define "smoker.answeringEchoes" -}}
sum by (probe) (label_replace(
  up{ {{- include "smoker.ofRelease" . }},app_kubernetes_io_component=~".+-echo"},
  "probe", "$1", "app_kubernetes_io_component", "(.+)-echo"
)) > 0
{{- end -}}
