{{/*
Does a target answer? At most one of three alerts fires for a probe and a target at any moment:

  some nodes fail to reach it, or only one node probes it     SmokerProbeFailing
  all nodes fail to reach it, and there are two or more       SmokerTargetFailing
  all nodes fail to reach it, and it has no pod               SmokerTargetGone

`local_error` is the prober's own fault: it counts neither as a failure nor as a result.
*/}}
{{- define "smoker.outcomeRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $own := not .Values.prober.serverHost -}}
{{- /* Read by each alert below and by those of loss and latency: computed once. */ -}}
- record: smoker:failing_path:ratio
  expr: |
    # The paths on which most probes fail, with the share of failures.
    {{- include "smoker.failingResults" . | nindent 4 }}
  labels:
    {{- include "smoker.recordLabels" . | nindent 4 }}
- record: smoker:target_nodes:count
  expr: |
    # The number of nodes that have results of a target.
    count by (probe, target, plane, family) (
      {{ include "smoker.results" . }} > 0
    )
  labels:
    {{- include "smoker.recordLabels" . | nindent 4 }}
{{- if $rules.probeFailing.enabled }}
- alert: SmokerProbeFailing
  expr: |
    # The paths on which most probes fail …
    (
      {{- include "smoker.failingPaths" . | nindent 6 }}
    )
    # … unless all of several nodes fail: then it is the target …
    unless on (probe, target, plane, family) (
      {{- include "smoker.failingTargets" . | nindent 6 }}
      > 1
    )
    {{- if $own }}
    # … or the target is an echo service without a pod: that is SmokerTargetGone.
    unless on (probe, target, plane, family) (
      {{- include "smoker.failingServices" . | nindent 6 }}
      unless on (probe) (
        {{- include "smoker.answeringEchoes" . | nindent 8 }}
      )
    )
    {{- end }}
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.probeFailing.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.probeFailing) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} does not reach {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }})`}}
    description: >-
      {{`{{ $value | humanizePercentage }} of the {{ $labels.probe }} probes from {{ $labels.node }} to {{ $labels.target }} fail.
      If other nodes reach it, the fault is at {{ $labels.node }} or on the path from it. If no other node probes it, the target itself may be at fault.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerProbeFailing") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if $rules.targetFailing.enabled }}
- alert: SmokerTargetFailing
  expr: |
    # The targets that all of several nodes fail to reach …
    (
      {{- include "smoker.failingTargets" . | nindent 6 }}
      > 1
    )
    {{- if $own }}
    # … unless the target is an echo service without a pod: that is SmokerTargetGone.
    unless (
      {{- include "smoker.failingServices" . | nindent 6 }}
      unless on (probe) (
        {{- include "smoker.answeringEchoes" . | nindent 8 }}
      )
    )
    {{- end }}
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.targetFailing.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.targetFailing) | nindent 4 }}
  annotations:
    summary: >-
      {{`no node reaches {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }})`}}
    description: >-
      {{`Most {{ $labels.probe }} probes to {{ $labels.target }} fail on all {{ $value }} nodes that probe it.
      The fault is the target, its DNS name, its Service or a policy rather than a node.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerTargetFailing") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if and $own $rules.targetGone.enabled }}
- alert: SmokerTargetGone
  expr: |
    # The echo services that all nodes fail to reach …
    (
      {{- include "smoker.failingServices" . | nindent 6 }}
    )
    # … and no pod of which answers the scrape.
    unless on (probe) (
      {{- include "smoker.answeringEchoes" . | nindent 6 }}
    )
  for: {{ include "smoker.forAtLeastAWindow" (dict "root" . "forSeconds" $rules.targetGone.forSeconds) }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.targetGone) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.target }} is gone: no pod of {{ $labels.probe }}-echo is up`}}
    description: >-
      {{`No pod of {{ $labels.probe }}-echo answers the scrape, and the {{ $labels.probe }} probes to {{ $labels.target }} fail on
      every node that probes it ({{ $value }}). The fault is the pod, not the network.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerTargetGone") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Results per second of each path, without local_error, which says nothing about the network. */}}
{{- define "smoker.results" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" . }},outcome!="local_error"}[{{ include "smoker.window" . }}s]))
{{- end -}}

{{- define "smoker.failingResults" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" . }},outcome!~"success|local_error"}[{{ include "smoker.window" . }}s]))
  / {{ include "smoker.results" . }}
  > 0.5
{{- end -}}

{{/* Paths on which most probes fail, with the share of failures, as recorded. */}}
{{- define "smoker.failingPaths" -}}
max by (node, probe, target, plane, family) (smoker:failing_path:ratio{ {{- include "smoker.ofRelease" . }}})
{{- end -}}

{{/* Targets to which most probes of every node fail, with the number of nodes that have results. */}}
{{- define "smoker.failingTargets" -}}
{{- include "smoker.failingTargetsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{/* The same targets, limited to the ports of this release's Service, on every plane. */}}
{{- define "smoker.failingServices" -}}
{{- $of := printf `,target=~"%s:.+"` (include "smoker.serverName" .) -}}
{{- include "smoker.failingTargetsOf" (dict "root" . "of" $of) -}}
{{- end -}}

{{/* Takes root, of (additional matchers). */}}
{{- define "smoker.failingTargetsOf" -}}
{{- $matchers := printf "%s%s" (include "smoker.ofRelease" .root) .of -}}
count by (probe, target, plane, family) (smoker:failing_path:ratio{ {{- $matchers }}})
== max by (probe, target, plane, family) (smoker:target_nodes:count{ {{- $matchers }}})
{{- end -}}

{{/* Probes whose echo service has a pod that answers the scrape: `tcp` if a pod of tcp-echo does. */}}
{{- define "smoker.answeringEchoes" -}}
sum by (probe) (label_replace(
  up{ {{- include "smoker.ofRelease" . }},app_kubernetes_io_component=~".+-echo"},
  "probe", "$1", "app_kubernetes_io_component", "(.+)-echo"
)) > 0
{{- end -}}
