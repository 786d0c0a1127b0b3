{{/*
Is a path slower than it used to be? Compares the path's round-trip time, which a busy prober does not change, with its own past. The
subqueries join the series of a node's successive pods, so that a restarted prober keeps the past of the pod before it. A path without a recorded past is too young.
*/}}
{{- define "smoker.latencyRules" -}}
{{- $rule := .Values.metrics.prometheusRule.latencyHigh -}}
{{- $past := include "smoker.past" . -}}
{{- if $rule.enabled -}}
- alert: SmokerLatencyHigh
  expr: |
    # The median of the last twenty rounds exceeds the past median by a factor …
    (
      {{ include "smoker.present" . }}
      > {{ include "smoker.text" $rule.factor }} * {{ $past | nindent 6 | trim }}
    )
    # … and by a number of seconds …
    and (
      {{ include "smoker.present" . }}
      > {{ include "smoker.text" $rule.floorSeconds }} + {{ $past | nindent 6 | trim }}
    )
    # … unless most of the path's probes fail: then its last round-trip time is old.
    unless (
      {{- include "smoker.failingPaths" . | nindent 6 }}
    )
  for: {{ int64 $rule.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rule) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} to {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }}) takes {{ $value | humanizeDuration }}, longer than usual`}}
    description: >-
      {{`The median round-trip time from {{ $labels.node }} to {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }}) is
      {{ $value | humanizeDuration }}`}}, more than {{ include "smoker.text" $rule.factor }} times this path's median of the past.
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerLatencyHigh") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/*
The past, in pieces: the median of each twenty-fourth of it (an hour of a day), for paths that existed all that time. A query for a day
of every path at once would exceed the number of samples that Prometheus allows in a large cluster.
*/}}
{{- define "smoker.pastRules" -}}
{{- if .Values.metrics.prometheusRule.latencyHigh.enabled -}}
{{- $piece := printf "%s[%ss:%ss]" (include "smoker.rtt" .) (include "smoker.pastPiece" .) (include "smoker.pastStep" .) -}}
- record: smoker:path_rtt_seconds:median
  expr: |
    quantile_over_time(0.5, {{ $piece }})
    and count_over_time({{ $piece }}) >= 11
  labels:
    {{- include "smoker.recordLabels" . | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "smoker.rtt" -}}
max by (node, probe, target, plane, family) (smoker_probe_last_rtt_seconds{ {{- include "smoker.ofProbers" . }}})
{{- end -}}

{{- define "smoker.present" -}}
{{- $step := include "smoker.seconds" (dict "root" . "turns" 1) -}}
quantile_over_time(0.5, {{ include "smoker.rtt" . }}[{{ include "smoker.longWindow" . }}s:{{ $step }}s])
{{- end -}}

{{/* The past ends where the present begins. */}}
{{- define "smoker.past" -}}
{{- $past := int64 .Values.metrics.prometheusRule.latencyHigh.pastSeconds -}}
max by (node, probe, target, plane, family) (quantile_over_time(0.5,
  smoker:path_rtt_seconds:median{ {{- include "smoker.ofRelease" . }}}[{{ $past }}s] offset {{ include "smoker.longWindow" . }}s
))
{{- end -}}

{{- define "smoker.pastPiece" -}}
{{- divf .Values.metrics.prometheusRule.latencyHigh.pastSeconds 24 | ceil | int64 -}}
{{- end -}}

{{/* Twelve steps a piece. */}}
{{- define "smoker.pastStep" -}}
{{- divf .Values.metrics.prometheusRule.latencyHigh.pastSeconds 288 | ceil | int64 -}}
{{- end -}}
