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
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} does not reach {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }})`}}
    description: >-
      {{`{{ $value | humanizePercentage }} of the {{ $labels.probe }} probes from {{ $labels.node }} to {{ $labels.target }} fail.
      If other nodes reach it, the fault is at {{ $labels.node }} or on the path from it. If no other node probes it, the target itself may be at fault.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProbeFailing") }}
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
    {{- include "smoker.alertLabels" (dict "root" . "severity" "critical") | nindent 4 }}
  annotations:
    summary: >-
      {{`no node reaches {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }})`}}
    description: >-
      {{`Most {{ $labels.probe }} probes to {{ $labels.target }} fail on all {{ $value }} nodes that probe it.
      The fault is the target, its DNS name, its Service or a policy rather than a node.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerTargetFailing") }}
{{- if $own }}
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
    {{- include "smoker.alertLabels" (dict "root" . "severity" "critical") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.target }} is gone: no pod of {{ $labels.probe }}-echo is up`}}
    description: >-
      {{`No pod of {{ $labels.probe }}-echo answers the scrape, and the {{ $labels.probe }} probes to {{ $labels.target }} fail on
      every node that probes it ({{ $value }}). The fault is the pod, not the network.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerTargetGone") }}
{{- end }}
{{- end -}}

{{/* Results per second of each path, without local_error, which says nothing about the network. */}}
{{- define "smoker.results" -}}
{{- include "smoker.resultsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{/* The same for some paths. Takes root, of (additional matchers). */}}
{{- define "smoker.resultsOf" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" .root }}{{ .of }},outcome!="local_error"}[{{ include "smoker.window" .root }}s]))
{{- end -}}

{{/* Paths on which most probes fail, with the share of failures. */}}
{{- define "smoker.failingPaths" -}}
{{- include "smoker.failingPathsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{- define "smoker.failingPathsOf" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" .root }}{{ .of }},outcome!~"success|local_error"}[{{ include "smoker.window" .root }}s]))
  / {{ include "smoker.resultsOf" . }}
  > 0.5
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

{{- define "smoker.failingTargetsOf" -}}
count by (probe, target, plane, family) (
  {{- include "smoker.failingPathsOf" . | nindent 2 }}
)
== count by (probe, target, plane, family) (
  {{ include "smoker.resultsOf" . }} > 0
)
{{- end -}}

{{/* Probes whose echo service has a pod that answers the scrape: `tcp` if a pod of tcp-echo does. */}}
{{- define "smoker.answeringEchoes" -}}
sum by (probe) (label_replace(
  up{ {{- include "smoker.ofRelease" . }},app_kubernetes_io_component=~".+-echo"},
  "probe", "$1", "app_kubernetes_io_component", "(.+)-echo"
)) > 0
{{- end -}}
