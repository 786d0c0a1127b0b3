{{/*
Is a path slower than it used to be? Compares the path's round-trip time, which a busy prober does not change, with its own past. The
subqueries join the series of a node's successive pods, so that a restarted prober keeps the past of the pod before it.
*/}}
{{- define "smoker.latencyRules" -}}
{{- $rule := .Values.metrics.prometheusRule.latencyHigh -}}
{{- $past := include "smoker.past" . -}}
{{- /* Least number of steps with data: a twenty-fourth of the past (an hour of a day). */}}
{{- $known := divf $rule.pastSeconds 24 (include "smoker.pastStep" .) | ceil | int64 -}}
- alert: SmokerLatencyHigh
  expr: |
    # The median of the last twenty rounds exceeds the past median by a factor …
    (
      {{ include "smoker.present" . }}
      > {{ include "smoker.text" $rule.factor }} * quantile_over_time(0.5, {{ $past }})
    )
    # … and by a number of seconds …
    and (
      {{ include "smoker.present" . }}
      > {{ include "smoker.text" $rule.floorSeconds }} + quantile_over_time(0.5, {{ $past }})
    )
    # … and the past has enough data …
    and (
      count_over_time({{ $past }}) >= {{ $known }}
    )
    # … unless most of the path's probes fail: then its last round-trip time is old.
    unless (
      {{- include "smoker.failingPaths" . | nindent 6 }}
    )
  for: {{ int64 $rule.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} to {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }}) takes {{ $value | humanizeDuration }}, longer than usual`}}
    description: >-
      {{`The median round-trip time from {{ $labels.node }} to {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }}) is
      {{ $value | humanizeDuration }}`}}, more than {{ include "smoker.text" $rule.factor }} times this path's median of the past.
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerLatencyHigh") }}
{{- end -}}

{{- define "smoker.rtt" -}}
max by (node, probe, target, plane, family) (smoker_probe_last_rtt_seconds{ {{- include "smoker.ofProbers" . }}})
{{- end -}}

{{- define "smoker.present" -}}
{{- $step := include "smoker.seconds" (dict "root" . "turns" 1) -}}
quantile_over_time(0.5, {{ include "smoker.rtt" . }}[{{ include "smoker.longWindow" . }}s:{{ $step }}s])
{{- end -}}

{{/* The past ends where the present begins. 288 steps: each 5 minutes of a day. */}}
{{- define "smoker.past" -}}
{{- $past := int64 .Values.metrics.prometheusRule.latencyHigh.pastSeconds -}}
{{ include "smoker.rtt" . }}[{{ $past }}s:{{ include "smoker.pastStep" . }}s] offset {{ include "smoker.longWindow" . }}s
{{- end -}}

{{- define "smoker.pastStep" -}}
{{- divf .Values.metrics.prometheusRule.latencyHigh.pastSeconds 288 | ceil | int64 -}}
{{- end -}}
