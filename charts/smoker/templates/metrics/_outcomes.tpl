{{/*
Does a target answer? Three alerts share one question, and at any moment one of them at most is the answer for a probe and a
target:

  some nodes fail, others do not; or one node alone asks  SmokerProbeFailing
  all nodes fail, two of them or more                     SmokerTargetFailing
  all nodes fail, and no pod is there to ask              SmokerTargetGone

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
    # … except where all nodes fail, and more than one asks: there it is the target.
    unless on (probe, target, plane, family) (
      {{- include "smoker.failingTargets" . | nindent 6 }}
      > 1
    )
    {{- if $own }}
    # … and except an echo service of which no pod is there: that is SmokerTargetGone.
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
      Other nodes that ask reach it, so it is that node or the path from it; or no other node asks.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerProbeFailing") }}
- alert: SmokerTargetFailing
  expr: |
    # The targets that all nodes fail to reach, where more than one asks …
    (
      {{- include "smoker.failingTargets" . | nindent 6 }}
      > 1
    )
    {{- if $own }}
    # … except an echo service of which no pod is there: that is SmokerTargetGone.
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
      {{`Most {{ $labels.probe }} probes to {{ $labels.target }} fail, on every node that asks ({{ $value }}).
      It is the target, its name, its Service or a policy rather than a node.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerTargetFailing") }}
{{- if $own }}
- alert: SmokerTargetGone
  expr: |
    # The echo services that all nodes fail to reach …
    (
      {{- include "smoker.failingServices" . | nindent 6 }}
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
{{- include "smoker.resultsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{/* The same of some paths. Takes root, of: more matchers. */}}
{{- define "smoker.resultsOf" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" .root }}{{ .of }},outcome!="local_error"}[{{ include "smoker.window" .root }}s]))
{{- end -}}

{{/* Paths most of whose results are failures, with the share that is. */}}
{{- define "smoker.failingPaths" -}}
{{- include "smoker.failingPathsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{- define "smoker.failingPathsOf" -}}
sum by (node, probe, target, plane, family) (rate(smoker_probe_total{ {{- include "smoker.ofProbers" .root }}{{ .of }},outcome!~"success|local_error"}[{{ include "smoker.window" .root }}s]))
  / {{ include "smoker.resultsOf" . }}
  > 0.5
{{- end -}}

{{/* Targets to which every node that has results mostly fails, with the number of these nodes. */}}
{{- define "smoker.failingTargets" -}}
{{- include "smoker.failingTargetsOf" (dict "root" . "of" "") -}}
{{- end -}}

{{/* Those of them that are ports of this release's Service, by whichever way. */}}
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

{{/* The probes whose echo service has a pod that answers the scrape: `tcp` where one of tcp-echo does. */}}
{{- define "smoker.answeringEchoes" -}}
sum by (probe) (label_replace(
  up{ {{- include "smoker.ofRelease" . }},app_kubernetes_io_component=~".+-echo"},
  "probe", "$1", "app_kubernetes_io_component", "(.+)-echo"
)) > 0
{{- end -}}
